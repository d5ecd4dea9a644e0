//! TLS: which manager a connection trusts, and who the worker is to it.

mod error;
mod unverified;

use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

use crate::certificate::Roots;
use crate::crypto::provider;
use crate::identity::Identity;
pub use error::TlsError;
use unverified::Unverified;

/// The name of a manager as the authority that signs certificates.
const CA: &str = "swarm-ca";

/// The name of a manager in all other roles.
const MANAGER: &str = "swarm-manager";

/// The protocol over TLS.
const HTTP2: &[u8] = b"h2";

/// A client's side of TLS.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

impl TlsConfig {
    /// Trusts any server. Only good for asking for the roots of a swarm, whose digest is known.
    ///
    /// # Errors
    ///
    /// Fails if the cryptography cannot be set up.
    pub fn unverified() -> Result<Self, rustls::Error> {
        let config = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider())))
            .with_no_client_auth();
        Self::new(config, CA)
    }

    /// Trusts the managers of a swarm. Does not show who the worker is.
    ///
    /// # Errors
    ///
    /// Fails if the cryptography cannot be set up.
    pub fn anonymous(roots: &Roots) -> Result<Self, rustls::Error> {
        Self::new(trusting(roots)?.with_no_client_auth(), CA)
    }

    /// Trusts the managers of a swarm, and shows the worker's certificate.
    ///
    /// # Errors
    ///
    /// Fails if the cryptography cannot be set up.
    pub fn mutual(identity: &Identity) -> Result<Self, rustls::Error> {
        let resolver: Arc<dyn ResolvesClientCert> =
            Arc::new(SingleCertAndKey::from(identity.certified()));
        let config = trusting(identity.roots())?.with_client_cert_resolver(resolver);
        Self::new(config, MANAGER)
    }

    fn new(mut config: ClientConfig, name: &'static str) -> Result<Self, rustls::Error> {
        // A manager has no ALPN after it has renewed its own certificate.
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // Every connection is checked anew, since roots and certificates change.
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(name)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Self { client: Arc::new(config), name })
    }
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

fn builder() -> Result<Builder<WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13, &TLS12])
}

fn trusting(roots: &Roots) -> Result<Builder<WantsClientCert>, rustls::Error> {
    Ok(builder()?.with_webpki_verifier(verifier(roots)?))
}

/// Returns what decides if a manager is trusted. During a root rotation, a manager presents two
/// certificates: its own, issued by the new root, and the new root's key, signed by the old root.
///
/// # Errors
///
/// Fails if there are no roots.
pub fn verifier(roots: &Roots) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(roots.store(), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}
