use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{CertificateError, certificates};
use crate::crypto::provider;

/// The root certificates of a swarm: one, or more if its operator has given it a bundle.
#[derive(Debug, Clone)]
pub struct Roots {
    pem: Vec<u8>,
    certificates: Vec<CertificateDer<'static>>,
    store: Arc<RootCertStore>,
}

impl Roots {
    /// Reads root certificates in PEM.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if one of them cannot be a root.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let certificates = certificates(pem)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            let malformed = |error: rustls::Error| CertificateError::Malformed(error.to_string());
            store.add(certificate.clone()).map_err(malformed)?;
        }
        Ok(Self { pem: pem.to_owned(), certificates, store: Arc::new(store) })
    }

    /// Returns the PEM text, as the manager sent it.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// Returns the root that has issued a certificate, with the help of intermediates.
    pub(super) fn issuer(
        &self,
        certificate: &CertificateDer<'static>,
        intermediates: &[CertificateDer<'static>],
        at: UnixTime,
    ) -> Result<&CertificateDer<'static>, CertificateError> {
        let mut last = String::new();
        for root in &self.certificates {
            let issued = verifier(root).and_then(|verifier| {
                let verified = verifier.verify_client_cert(certificate, intermediates, at);
                verified.map_err(|error| error.to_string())
            });
            match issued {
                Ok(_) => return Ok(root),
                Err(error) => last = error,
            }
        }
        Err(CertificateError::OtherSwarm(last))
    }

    /// Returns the certificates as rustls wants them.
    pub(crate) fn store(&self) -> Arc<RootCertStore> {
        self.store.clone()
    }
}

fn verifier(root: &CertificateDer<'static>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut store = RootCertStore::empty();
    store.add(root.clone()).map_err(|error| error.to_string())?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider())
        .build()
        .map_err(|error| error.to_string())
}

/// Two are equal if they are the same text.
impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}
