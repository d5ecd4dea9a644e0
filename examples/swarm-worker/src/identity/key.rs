use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject as _};

/// A private key. `Debug` does not print it.
#[derive(Clone)]
pub struct PrivateKey(Arc<KeyPair>);

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system has no random numbers.
    #[error("cannot make a key: {0}")]
    Generate(String),
    /// There is no key in the text.
    #[error("no private key in PEM (-----BEGIN PRIVATE KEY-----)")]
    None,
    /// The end of the key is missing.
    #[error("the end of the private key is missing")]
    Incomplete,
    /// The key is damaged.
    #[error("the private key is damaged")]
    Damaged,
}

impl PrivateKey {
    /// Makes a key of the curve P-256.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate().map_err(|error| KeyError::Generate(error.to_string()))?;
        Ok(Self(Arc::new(pair)))
    }

    /// Returns the request for a certificate of the key, in PEM. It names nobody: managers write the
    /// subject of the certificate.
    ///
    /// # Errors
    ///
    /// Fails if the key cannot sign.
    pub fn request(&self) -> Result<String, KeyError> {
        CertificateParams::default()
            .serialize_request(&*self.0)
            .and_then(|request| request.pem())
            .map_err(|error| KeyError::Generate(error.to_string()))
    }

    /// Reads the private key in a PEM text, which may have certificates too.
    ///
    /// # Errors
    ///
    /// Fails if there is no complete key. The error contains nothing of the text.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(der) => der,
            Err(pem::Error::NoItemsFound) => return Err(KeyError::None),
            Err(pem::Error::MissingSectionEnd { .. }) => return Err(KeyError::Incomplete),
            Err(_) => return Err(KeyError::Damaged),
        };
        let pair = KeyPair::try_from(&der).map_err(|_| KeyError::Damaged)?;
        Ok(Self(Arc::new(pair)))
    }

    /// Returns the key in PEM.
    pub(crate) fn expose_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// Returns the key as rustls wants it.
    pub(crate) fn expose_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.serialize_der().into())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}
