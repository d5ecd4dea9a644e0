use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Status};

use crate::certificate::CertificateError;
use crate::connection::{Address, ConnectError};
use crate::identity::IdentityError;
use crate::issuance::IssueError;
use crate::text::{cause, said};

/// Why this machine is no node of the swarm. No message contains a part of the token's secret.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The directory belongs to a node already.
    #[error("{}: this directory belongs to a node of a swarm; leave that first, or name another directory", dir.display())]
    Joined {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    State(#[from] agent_kit::state::StateError),
    /// The files cannot be written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The cryptography cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The manager does not give its root certificates.
    #[error(
        "{address}: cannot get the root certificates: {message}; is this a manager of a swarm?"
    )]
    Roots {
        /// The address of the manager.
        address: Address,
        /// What is wrong.
        message: String,
    },
    /// The manager cannot give its root certificates at the moment.
    #[error("{address}: the manager cannot be asked at the moment: {message}")]
    Unavailable {
        /// The address of the manager.
        address: Address,
        /// The manager's words.
        message: String,
    },
    /// The root certificates are not those of the token.
    #[error(
        "{address}: the root certificates are not those of the join token: this is the manager of \
         another swarm, or the root was rotated since the token was printed; print it anew with \
         `docker swarm join-token worker` on the manager"
    )]
    OtherDigest {
        /// The address of the manager.
        address: Address,
    },
    /// The root certificates cannot be used.
    #[error("{address}: the root certificates cannot be used: {error}")]
    BadRoots {
        /// The address of the manager.
        address: Address,
        /// What is wrong with them.
        error: CertificateError,
    },
    /// There is no certificate.
    #[error("{address}: {error}")]
    Issue {
        /// The address of the manager.
        address: Address,
        /// Why not.
        error: IssueError,
    },
    /// It failed when the manager had made the node.
    #[error("{error}; the manager lists this node, so remove it there: docker node rm {node_id}")]
    Listed {
        /// The id of the node, safe to print.
        node_id: String,
        /// Why it failed.
        error: Box<JoinError>,
    },
    /// The program ends.
    #[error("the program ended before this machine was a node")]
    Interrupted,
    /// No answer.
    #[error("{address}: no answer within {limit:?}")]
    TimedOut {
        /// The address of the manager.
        address: Address,
        /// How long it was tried.
        limit: Duration,
    },
}

impl JoinError {
    pub(super) fn roots(address: &Address, status: &Status) -> Self {
        let (address, message) = (address.clone(), said(&cause(status)));
        let later = matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Aborted
        );
        if later {
            Self::Unavailable { address, message }
        } else {
            Self::Roots { address, message }
        }
    }

    /// Adds that the manager lists the node.
    pub(super) fn of_listed(self, node_id: &str) -> Self {
        Self::Listed { node_id: said(node_id), error: Box::new(self) }
    }

    /// Whether another try may help.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Issue { error, .. } => error.is_temporary(),
            Self::Unavailable { .. } => true,
            Self::Joined { .. }
            | Self::State(_)
            | Self::Identity(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Roots { .. }
            | Self::OtherDigest { .. }
            | Self::BadRoots { .. }
            | Self::Listed { .. }
            | Self::Interrupted
            | Self::TimedOut { .. } => false,
        }
    }
}
