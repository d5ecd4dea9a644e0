//! Certificates of a swarm: the roots that its managers are trusted by, and the certificate of a
//! node.

mod error;
mod node;
mod roots;

pub use error::CertificateError;
pub(crate) use node::Issuer;
pub use node::NodeCertificate;
pub use roots::Roots;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};

/// The most certificates that a PEM text may have. A swarm in the middle of a root rotation uses
/// two.
const MOST: usize = 16;

/// Reads certificates in PEM.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if found.len() == MOST {
            return Err(CertificateError::TooMany { most: MOST });
        }
        found.push(certificate.map_err(|error| CertificateError::Pem(problem(&error)))?);
    }
    if found.is_empty() { Err(CertificateError::None) } else { Ok(found) }
}

/// What is wrong with a text in PEM. The library prints lines as lists of numbers.
fn problem(error: &pem::Error) -> String {
    if let pem::Error::MissingSectionEnd { end_marker } = error {
        format!("the line -----END {}----- is missing", String::from_utf8_lossy(end_marker))
    } else if let pem::Error::IllegalSectionStart { .. } = error {
        "a line -----BEGIN …----- is damaged".to_owned()
    } else {
        error.to_string()
    }
}
