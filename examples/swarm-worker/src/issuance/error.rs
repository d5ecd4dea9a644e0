use std::time::Duration;

use tonic::{Code, Status};

use crate::certificate::CertificateError;
use crate::identity::KeyError;

/// Why a manager has issued no certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no key to ask with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The manager refuses: the token is not valid, or the node is not one of the swarm.
    #[error("the manager refuses: {0}")]
    Refused(String),
    /// The call failed.
    #[error("the manager failed ({code:?}): {message}")]
    Call {
        /// The code of the failure.
        code: Code,
        /// What the manager said about it.
        message: String,
    },
    /// The manager does not answer.
    #[error("no answer of the manager within {0:?}")]
    TimedOut(Duration),
    /// The manager could not issue the certificate.
    #[error("the manager could not issue a certificate: {0}")]
    Failed(String),
    /// The certificate is for another request.
    #[error("the manager has issued a certificate for a key that is not this node's")]
    OtherRequest,
    /// The certificate is for another node.
    #[error("the manager has issued a certificate for the node {found:?}, not for {expected:?}")]
    OtherNode {
        /// The node that was to have it.
        expected: String,
        /// The node in the certificate.
        found: String,
    },
    /// The certificate is not usable.
    #[error("the manager has issued a certificate that cannot be used: {0}")]
    Certificate(#[from] CertificateError),
}
