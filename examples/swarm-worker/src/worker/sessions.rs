//! Opens one session after the other.

use std::hash::{BuildHasher as _, RandomState};

use tokio::time::{Instant, sleep_until};

use crate::managers::Attempt;
use crate::session::{self, End, Node};

/// The source of the notice that no manager is connected.
const NOTICE: &str = "manager";

/// Keeps a session with a manager. Returns when the node was removed from the swarm.
pub(super) async fn keep(node: &Node) {
    let origin = Instant::now();
    loop {
        let next = node.managers().next();
        let Some(Attempt { address, at }) = next else {
            let none = "no manager is known; leave the swarm and join it again";
            node.board.notice(NOTICE, Some(none.to_owned()));
            return std::future::pending().await;
        };
        sleep_until(origin + at).await;
        let reason = match node.credentials.connect(&address).await {
            Err(error) => error.to_string(),
            Ok(connection) => {
                let opening = || node.managers().opening(origin.elapsed());
                let opened = || {
                    node.managers().opened();
                    node.board.notice(NOTICE, None);
                    tracing::info!(manager = %address, "session opened");
                };
                match session::run(&connection, node, opening, opened).await {
                    End::Removed => return,
                    End::Lost(reason) => format!("{address}: {reason}"),
                }
            }
        };
        tracing::warn!(reason, "no session with a manager");
        node.board.notice(NOTICE, Some(format!("no connection to the swarm: {reason}")));
        node.managers().failed(origin.elapsed(), random());
    }
}

/// Returns a random number from 0 to 1. It need not be secret.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0);
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
