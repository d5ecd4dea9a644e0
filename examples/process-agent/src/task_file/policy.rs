use std::time::Duration;

use onward::agent::{InvalidPolicy, Policy};
use serde::Deserialize;

use super::Span;

/// How much longer than its own grace a task may take to shut down, before it is killed from
/// outside. Its keeper kills it when the grace is over, so this is for a keeper that does not.
const MARGIN: Duration = Duration::from_secs(10);

/// How patient the agent is with a task, as a user writes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PolicyEntry {
    retry_initial: Option<Span>,
    retry_max: Option<Span>,
    retry_factor: Option<f64>,
    retry_jitter: Option<f64>,
    prepare_deadline: Option<Span>,
    start_deadline: Option<Span>,
    shutdown_grace: Option<Span>,
}

impl PolicyEntry {
    /// The policy, for a task with this grace of its own.
    pub(super) fn policy(self, stop_grace: Duration) -> Result<Policy, InvalidPolicy> {
        let mut policy = Policy::default();
        let of = |span: Option<Span>| span.map(|span| span.0);
        policy.retry_initial = of(self.retry_initial).unwrap_or(policy.retry_initial);
        policy.retry_max = of(self.retry_max).unwrap_or(policy.retry_max);
        policy.retry_factor = self.retry_factor.unwrap_or(policy.retry_factor);
        policy.retry_jitter = self.retry_jitter.unwrap_or(policy.retry_jitter);
        policy.prepare_deadline = of(self.prepare_deadline);
        policy.start_deadline = of(self.start_deadline);
        policy.shutdown_grace = of(self.shutdown_grace).or_else(|| stop_grace.checked_add(MARGIN));
        policy.check().map(|()| policy)
    }
}
