use onward::agent::Policy;
use onward::agent::policy::{Backoff, BackoffError};
use serde::Deserialize;

use super::span::Span;

/// The key `policy` of a task, as it is written in the file.
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
    /// Converts the entry to a policy.
    pub(super) fn policy(self) -> Result<Policy, BackoffError> {
        let of = |span: Option<Span>| span.map(|span| span.0);
        let default = Backoff::default();
        let initial = of(self.retry_initial).unwrap_or(default.initial());
        let max = of(self.retry_max).unwrap_or(default.max());
        let backoff = Backoff::new(initial, max)
            .with_factor(self.retry_factor.unwrap_or(default.factor()))?
            .with_jitter(self.retry_jitter.unwrap_or(default.jitter()))?;
        Ok(Policy::default()
            .with_backoff(backoff)
            .with_prepare_deadline(of(self.prepare_deadline))
            .with_start_deadline(of(self.start_deadline))
            .with_shutdown_grace(of(self.shutdown_grace)))
    }
}
