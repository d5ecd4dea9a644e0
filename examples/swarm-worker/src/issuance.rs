//! Gets a certificate from a manager, for a new node or for one that renews its own.

mod error;

use std::time::Duration;

use tokio::time::timeout;
use tonic::Code;

use crate::certificate::NodeCertificate;
use crate::connection::Connection;
use crate::identity::PrivateKey;
use crate::token::JoinToken;
use crate::wire::issuance_status::State;
use crate::wire::{
    IssueNodeCertificateRequest, NodeCertificateStatusRequest, NodeRole, node_spec::Availability,
};
pub use error::IssueError;

/// How long one call may take. A manager answers a question for a certificate when it has one.
const CALL: Duration = Duration::from_secs(10);

/// How long a manager may take to issue a certificate.
const ISSUE: Duration = Duration::from_secs(30);

/// Gets a certificate for a new key: with a token for a new node, and without one, over mutual TLS,
/// for the node of the connection.
///
/// # Errors
///
/// Fails if the manager refuses, if it issues another certificate than the one that was asked for,
/// or if it takes longer than 30 s.
///
/// # Cancel safety
///
/// If the future is dropped, the manager may have issued a certificate that nobody has the key of.
/// A new node that was not finished stays in the manager's list.
pub async fn issue(
    connection: &Connection,
    key: &PrivateKey,
    token: Option<&JoinToken>,
    availability: Availability,
) -> Result<NodeCertificate, IssueError> {
    // Before any call: a manager would keep a node without certificate for ever.
    let request = key.request()?;
    todo!()
}
