use std::io;
use std::path::PathBuf;

use super::key::KeyError;
use crate::certificate::CertificateError;

/// Why the identity in a state directory cannot be used. No message contains a part of a key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The directory belongs to no node.
    #[error("{}: this directory belongs to no node of a swarm; join one first", dir.display())]
    NotJoined {
        /// The directory.
        dir: PathBuf,
    },
    /// A file is missing.
    #[error(
        "{}: the file is missing; restore it from a backup, or leave the swarm and join again",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: cannot read it: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot write it: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A file cannot be removed.
    #[error("{}: cannot remove it: {error}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// Others could read the key, or have changed the file.
    #[error(
        "{}: only its owner may have access to this file, but {problem}; if nobody else had access \
         to it, chmod it to 600, or else leave the swarm and join again",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Why the file is not safe.
        problem: String,
    },
    /// The key is not usable.
    #[error(
        "{}: {error}; restore the file from a backup, or leave the swarm and join again",
        path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        error: KeyError,
    },
    /// A certificate is not usable.
    #[error(
        "{}: {error}; restore the file from a backup, or leave the swarm and join again",
        path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with the certificate.
        error: CertificateError,
    },
    /// The certificate is not valid at this time.
    #[error("{}: {error}, or else leave the swarm and join again", path.display())]
    Time {
        /// The file.
        path: PathBuf,
        /// How the time is wrong.
        error: CertificateError,
    },
}
