use std::time::Duration;

use tonic::Code;

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
    /// The call failed, and another one may succeed.
    #[error("the manager failed ({code:?}): {message}")]
    Call {
        /// The code of the failure.
        code: Code,
        /// The manager's words.
        message: String,
    },
    /// The manager does not answer.
    #[error("no answer of the manager within {0:?}")]
    TimedOut(Duration),
    /// The manager could not issue the certificate.
    #[error("the manager could not issue a certificate: {0}")]
    Failed(String),
    /// The answer names no node.
    #[error("the manager has given no id to the node")]
    NoNode,
    /// The certificate is for another request.
    #[error("the manager has issued a certificate for the key of another node")]
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

impl IssueError {
    /// Returns the error for a call that failed.
    pub(super) fn new(code: Code, message: String) -> Self {
        let refused = matches!(
            code,
            Code::InvalidArgument
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::NotFound
                | Code::Unimplemented
                | Code::OutOfRange
        );
        if refused { Self::Refused(message) } else { Self::Call { code, message } }
    }

    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Call { .. })
    }
}
