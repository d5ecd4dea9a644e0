//! Heartbeats: tell the manager that the node is up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tonic::transport::Channel;

use super::end::{End, answer};
use crate::status::duration_of;
use crate::wire::HeartbeatRequest;
use crate::wire::dispatcher_client::DispatcherClient;

/// The period if the manager names none.
const PERIOD: Duration = Duration::from_secs(5);

/// The shortest period.
const SHORTEST: Duration = Duration::from_millis(100);

/// Sends a heartbeat at once, then in the period that the manager names, and when `soon` is
/// notified. Returns when one fails.
pub(super) async fn beat(
    mut client: DispatcherClient<Channel>,
    session_id: String,
    soon: Arc<Notify>,
) -> End {
    loop {
        let sent = Instant::now();
        let request = HeartbeatRequest { session_id: session_id.clone() };
        let answer = match answer("Heartbeat", client.heartbeat(request)).await {
            Ok(answer) => answer,
            Err(end) => return end,
        };
        let period = answer.period.as_ref().and_then(duration_of);
        // A manager waits for three periods.
        let period = period.unwrap_or(PERIOD).clamp(SHORTEST, PERIOD * 2);
        tokio::select! {
            () = sleep_until(sent + period) => {}
            () = soon.notified() => {}
        }
    }
}
