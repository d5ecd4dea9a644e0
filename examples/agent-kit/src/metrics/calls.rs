use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use onward::exec::{Call, CallObserver, CallOutcome};

use super::families::Metrics;
use super::recorded::Recorded;
use crate::history::History;

/// Measures the calls of an executor and its controllers, counts retries, and adds the calls to the
/// history of their task.
#[derive(Debug)]
pub struct Calls {
    metrics: Arc<Metrics>,
    history: Arc<History>,
    /// For each task, the calls whose last result was a temporary error.
    delayed: Mutex<BTreeMap<String, BTreeSet<Call>>>,
}

impl Calls {
    /// Makes an observer that writes to these metrics and histories.
    #[must_use]
    pub fn new(recorded: Recorded) -> Self {
        let Recorded { metrics, history } = recorded;
        Self { metrics, history, delayed: Mutex::default() }
    }

    /// Stores whether a call will be retried. Returns the previous value.
    fn set_delayed(&self, call: Call, task: &str, is_delayed: bool) -> bool {
        let mut delayed = self.delayed.lock().unwrap_or_else(PoisonError::into_inner);
        if is_delayed {
            return !delayed.entry(task.to_owned()).or_default().insert(call);
        }
        let Some(calls) = delayed.get_mut(task) else { return false };
        let was_delayed = calls.remove(&call);
        // `close` is the last call of a controller.
        if calls.is_empty() || call == Call::Close {
            delayed.remove(task);
        }
        was_delayed
    }
}

/// Whether a call is part of the history of a task. Inspections are not, because a task can have
/// any number of them.
fn is_kept(call: Call) -> bool {
    !matches!(call, Call::Close | Call::Inspect | Call::List | Call::Reconcile)
}

impl CallObserver for Calls {
    type Begun = Instant;

    fn begun(&self, call: Call, task: Option<&str>) -> Instant {
        if task.is_some_and(|task| self.set_delayed(call, task, false)) {
            self.metrics.retry(call.as_str());
        }
        if let Some(task) = task.filter(|_| is_kept(call)) {
            self.history.begun(task, call);
        }
        Instant::now()
    }

    fn ended(&self, call: Call, task: Option<&str>, begun: Instant, outcome: CallOutcome<'_>) {
        self.metrics.call(call.as_str(), outcome.as_str(), begun.elapsed());
        if let Some(task) = task.filter(|_| is_kept(call)) {
            self.history.ended(task, call, outcome);
        }
        if let (Some(task), CallOutcome::Temporary(_)) = (task, outcome) {
            self.set_delayed(call, task, true);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::families::tests::counted;
    use super::*;
    use onward::ControllerError;

    fn calls() -> (Calls, Arc<Metrics>) {
        let recorded = Recorded::new().unwrap();
        (Calls::new(recorded.clone()), recorded.metrics)
    }

    fn call(calls: &Calls, call: Call, task: &str, outcome: CallOutcome<'_>) {
        let begun = calls.begun(call, Some(task));
        calls.ended(call, Some(task), begun, outcome);
    }

    #[test]
    fn a_call_after_a_temporary_error_is_counted_as_a_retry() {
        let (calls, metrics) = calls();
        let error = ControllerError::new("busy");
        call(&calls, Call::Prepare, "a", CallOutcome::Temporary(&error));
        // Calls of another task and another operation are not retries.
        call(&calls, Call::Prepare, "b", CallOutcome::Succeeded);
        call(&calls, Call::Shutdown, "a", CallOutcome::Dropped);
        assert!(!counted(&metrics).iter().any(|line| line.contains("retries")));
        call(&calls, Call::Prepare, "a", CallOutcome::Temporary(&error));
        call(&calls, Call::Prepare, "a", CallOutcome::Succeeded);
        call(&calls, Call::Prepare, "a", CallOutcome::Succeeded);
        let expected = [
            r#"onward_operation_duration_seconds_count{operation="prepare",outcome="ok"} 3"#,
            r#"onward_operation_duration_seconds_count{operation="prepare",outcome="temporary"} 2"#,
            r#"onward_operation_duration_seconds_count{operation="shutdown",outcome="dropped"} 1"#,
            r#"onward_retries_total{operation="prepare"} 2"#,
        ];
        assert_eq!(counted(&metrics), expected);
    }

    #[test]
    fn a_task_is_forgotten_when_its_controller_is_closed() {
        let (calls, _) = calls();
        let error = ControllerError::new("busy");
        call(&calls, Call::Wait, "a", CallOutcome::Temporary(&error));
        call(&calls, Call::Close, "a", CallOutcome::Succeeded);
        assert!(calls.delayed.lock().unwrap().is_empty());
    }
}
