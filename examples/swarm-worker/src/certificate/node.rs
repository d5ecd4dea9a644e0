use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{CertificateError, Roots, certificates};
use crate::wire;

/// The organizational unit in the certificate of a worker.
const WORKER: &str = "swarm-worker";

/// The certificate of a worker. During a root rotation, it is a chain of two: the second shows that
/// the old root trusts the new one.
#[derive(Debug, Clone)]
pub struct NodeCertificate {
    chain: Vec<CertificateDer<'static>>,
    node_id: String,
    cluster: String,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl NodeCertificate {
    /// Reads a certificate, or a chain, in PEM. Ignores everything else in the text.
    ///
    /// # Errors
    ///
    /// Fails if the first certificate is not that of a worker.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let chain = certificates(pem)?;
        let Some(leaf) = chain.first() else { return Err(CertificateError::None) };
        let leaf = parsed(leaf)?;
        let role = first(leaf.subject().iter_organizational_unit(), "organizational unit")?;
        if role != WORKER {
            return Err(CertificateError::NotOfWorker { role });
        }
        Ok(Self {
            node_id: first(leaf.subject().iter_common_name(), "common name")?,
            cluster: first(leaf.subject().iter_organization(), "organization")?,
            not_before: leaf.validity().not_before.to_datetime(),
            not_after: leaf.validity().not_after.to_datetime(),
            chain,
        })
    }

    /// Returns the certificates as PEM.
    pub fn pem(&self) -> String {
        let pem = |der: &CertificateDer<'_>| Pem::new("CERTIFICATE", der.to_vec());
        let line_ending = EncodeConfig::new().set_line_ending(LineEnding::LF);
        self.chain.iter().map(|der| pem::encode_config(&pem(der), line_ending)).collect()
    }

    /// Returns the certificates, that of the node first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Returns the id of the node.
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// Returns the id of the swarm.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Returns when the validity starts. A manager sets it to an hour before it issues the
    /// certificate.
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// Returns when the validity ends.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Checks that this machine's clock shows a time in the validity.
    ///
    /// # Errors
    ///
    /// Fails if the certificate is not valid yet, or not any more.
    pub fn check_time(&self, now: OffsetDateTime) -> Result<(), CertificateError> {
        if now < self.not_before {
            return Err(CertificateError::NotValidYet { not_before: self.not_before, now });
        }
        if now > self.not_after {
            return Err(CertificateError::Expired { not_after: self.not_after, now });
        }
        Ok(())
    }

    /// Checks that a root of the swarm has issued the certificate, at whatever time. Returns the
    /// issuer as a manager wants to know it.
    ///
    /// # Errors
    ///
    /// Fails if another swarm has issued it.
    pub(crate) fn issuer(&self, roots: &Roots) -> Result<Issuer, CertificateError> {
        let Some((leaf, intermediates)) = self.chain.split_first() else {
            return Err(CertificateError::None);
        };
        // A new root may be younger than the start of the validity.
        let seconds = u64::try_from(self.not_after.unix_timestamp()).unwrap_or_default();
        let end = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let root = roots.issuer(leaf, intermediates, end)?;
        Ok(Issuer::of(&parsed(intermediates.first().unwrap_or(root))?))
    }
}

/// The issuer of a node's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    subject: Vec<u8>,
    public_key: Vec<u8>,
}

impl Issuer {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        Self {
            subject: certificate.subject().as_raw().to_owned(),
            public_key: certificate.public_key().raw.to_owned(),
        }
    }

    /// Returns what a worker reports in its description.
    pub(crate) fn to_wire(&self, roots: &Roots) -> wire::NodeTlsInfo {
        wire::NodeTlsInfo {
            trust_root: roots.pem().to_owned(),
            cert_issuer_subject: self.subject.clone(),
            cert_issuer_public_key: self.public_key.clone(),
        }
    }
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(CertificateError::Malformed(error.to_string())),
    }
}

/// Returns the text of the first of some attributes.
fn first<'a>(
    mut attributes: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
    missing: &'static str,
) -> Result<String, CertificateError> {
    let text = attributes.next().and_then(|attribute| attribute.as_str().ok());
    text.filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or(CertificateError::NotOfNode { missing })
}
