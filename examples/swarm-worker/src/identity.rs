//! The identity of a node: its key, its certificate, and the roots of its swarm. Reads and writes
//! their files.
//!
//! A state directory has these files. Only their owner can read them.
//!
//! | name | content |
//! |---|---|
//! | `node.pem` | the private key and the certificate of the node, as PEM |
//! | `root.pem` | the root certificates of the swarm, as PEM |
//! | `managers` | the addresses of the managers that were known last, one a line |
//!
//! A directory belongs to a node of a swarm if it has a `node.pem`. The key and the certificate are
//! one file, so they always belong together. Each file is written under another name first, and then
//! renamed. If both files with certificates change, `root.pem` has the old and the new roots until
//! `node.pem` is written.

mod error;
mod files;
mod key;

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use crate::certificate::{CertificateError, Issuer, NodeCertificate, Roots};
use crate::crypto::provider;
use crate::wire;
pub use error::IdentityError;
pub use key::{KeyError, PrivateKey};

/// A node of a swarm: its key and certificate, and the roots that prove who a manager is.
#[derive(Debug, Clone)]
pub struct Identity {
    key: PrivateKey,
    certificate: NodeCertificate,
    roots: Roots,
    issuer: Issuer,
    certified: Arc<CertifiedKey>,
    managers: Vec<String>,
}

impl Identity {
    /// Puts together what a manager has issued.
    ///
    /// # Errors
    ///
    /// Fails if the certificate is for another key, or if none of the roots has issued it. The time
    /// is not checked.
    pub fn new(
        key: PrivateKey,
        certificate: NodeCertificate,
        roots: Roots,
        managers: Vec<String>,
    ) -> Result<Self, CertificateError> {
        let issuer = certificate.issuer(&roots)?;
        let chain = certificate.chain().to_vec();
        let certified = CertifiedKey::from_der(chain, key.expose_der(), &provider())
            .map_err(|_| CertificateError::OtherKey)?;
        let certified = Arc::new(certified);
        Ok(Self { key, certificate, roots, issuer, certified, managers })
    }

    /// Reads the identity in a state directory.
    ///
    /// # Errors
    ///
    /// Fails if the directory is not one of a node, or if its files do not belong together.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        files::load(dir)
    }

    /// Checks that this machine's clock shows a time in the validity of the certificate.
    pub(crate) fn check_time(&self, dir: &Path, now: OffsetDateTime) -> Result<(), IdentityError> {
        self.certificate
            .check_time(now)
            .map_err(|error| IdentityError::Time { path: files::node(dir), error })
    }

    /// Writes the identity into a state directory.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written. The directory then has the old certificate or the new one,
    /// and at least the root that has issued it.
    pub fn store(&self, dir: &Path) -> Result<(), IdentityError> {
        files::store(dir, self)
    }

    /// Returns the id of the node.
    pub fn node_id(&self) -> &str {
        self.certificate.node_id()
    }

    /// Returns the id of the swarm.
    pub fn cluster(&self) -> &str {
        self.certificate.cluster()
    }

    /// Returns the certificate of the node.
    pub fn certificate(&self) -> &NodeCertificate {
        &self.certificate
    }

    /// Returns the roots of the swarm.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Returns the addresses of the managers that were known last.
    pub fn managers(&self) -> &[String] {
        &self.managers
    }

    /// Returns what the node reports about its certificate in its description. When this changes,
    /// for example during a root rotation, the worker must call `Session` again with it.
    pub fn tls_info(&self) -> wire::NodeTlsInfo {
        self.issuer.to_wire(&self.roots)
    }

    /// Returns the key with its certificate, as rustls wants them.
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }

    /// Returns the same node with other managers.
    #[must_use]
    pub(crate) fn with_managers(&self, managers: Vec<String>) -> Self {
        Self { managers, ..self.clone() }
    }

    /// Returns the same node with other roots.
    ///
    /// # Errors
    ///
    /// Fails if none of them has issued the certificate.
    pub(crate) fn with_roots(&self, roots: Roots) -> Result<Self, CertificateError> {
        let issuer = self.certificate.issuer(&roots)?;
        Ok(Self { roots, issuer, ..self.clone() })
    }

    /// Returns the same node with a new key and its certificate.
    ///
    /// # Errors
    ///
    /// Fails if the certificate is for another key or node, or if none of the roots has issued it.
    pub(crate) fn renewed(
        &self,
        key: PrivateKey,
        certificate: NodeCertificate,
    ) -> Result<Self, CertificateError> {
        Self::new(key, certificate, self.roots.clone(), self.managers.clone())
    }
}

/// Whether a state directory belongs to a node of a swarm.
pub fn exists(dir: &Path) -> bool {
    files::exist(dir)
}

/// Checks that there is space for an identity in a state directory.
///
/// # Errors
///
/// Fails if a file cannot be written, for example because the disk is full.
pub(crate) fn check_writable(dir: &Path) -> Result<(), IdentityError> {
    files::check_writable(dir)
}

/// Replaces a file of a state directory, so that after a crash it has the old or the new content.
///
/// # Errors
///
/// Fails if it cannot be written. It is unchanged then.
pub(crate) fn write_file(dir: &Path, name: &str, content: &[u8]) -> Result<(), IdentityError> {
    files::write(dir, name, content)
}

/// Removes the key, the certificate, the roots and the managers from a state directory. Does
/// nothing if they do not exist.
///
/// # Errors
///
/// Fails if a file cannot be removed.
pub fn forget(dir: &Path) -> Result<(), IdentityError> {
    files::forget(dir)
}
