//! Joins a swarm.

mod error;

use std::path::Path;

use crate::connection::Address;
use crate::identity::Identity;
use crate::token::JoinToken;
use crate::wire::node_spec::Availability;
pub use error::JoinError;

/// Makes this machine a node of a swarm, and writes its identity into a state directory.
///
/// Nothing is sent to the manager, and nothing of it is trusted, before its root certificates have
/// the digest in the token.
///
/// # Errors
///
/// Fails if the directory belongs to a node already, or if the manager refuses. It fails at once if
/// another try cannot help. If no manager can be asked at the moment, for example because they elect
/// a leader, it tries again for up to 20 s.
///
/// # Cancel safety
///
/// If the future is dropped, the directory belongs to no node. The manager may list a node that never
/// becomes ready.
pub async fn join(
    address: &Address,
    token: &JoinToken,
    dir: &Path,
    availability: Availability,
) -> Result<Identity, JoinError> {
    todo!()
}
