use std::fmt::{self, Write as _};
use std::sync::Arc;

use onward::TaskState;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::families::Metrics;

/// Counts the `tracing` events of the library and of this kit.
#[derive(Debug)]
pub struct Events(Arc<Metrics>);

impl Events {
    /// Makes a layer that writes to these metrics. Its filter accepts only the counted events and
    /// does not affect other layers.
    pub fn layer<S>(metrics: Arc<Metrics>) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Self(metrics).with_filter(filter())
    }
}

fn filter() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let wanted: fn(&Metadata<'_>) -> bool = |metadata| {
        let root = metadata.target().split("::").next();
        let least = match root {
            Some("onward") => Level::DEBUG,
            Some("agent_kit") => Level::WARN,
            _ => return false,
        };
        metadata.is_event() && *metadata.level() <= least
    };
    filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG)
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metrics = &self.0;
        match &*fields.message {
            "state changed" => {
                if let Some((from, to)) = edge(&fields.transition) {
                    metrics.transition(from, to);
                }
            }
            "deadline passed" => metrics.deadline_passed(&fields.call),
            "driver terminates the task" => metrics.termination(),
            "controller refused the definition" => metrics.refusal("definition"),
            "assignment refused" => metrics.refusal("assignment"),
            "task file refused" => metrics.refusal("task_file"),
            _ => {}
        }
    }
}

/// The fields of an event that the counters use.
#[derive(Default)]
struct Fields {
    message: String,
    transition: String,
    call: String,
}

impl Fields {
    fn of(&mut self, field: &Field) -> Option<&mut String> {
        match field.name() {
            "message" => Some(&mut self.message),
            "state.transition" => Some(&mut self.transition),
            "call" => Some(&mut self.call),
            _ => None,
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(text) = self.of(field) {
            value.clone_into(text);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(text) = self.of(field) {
            text.clear();
            _ = write!(text, "{value:?}");
        }
    }
}

/// Parses `READY->STARTING`.
fn edge(transition: &str) -> Option<(TaskState, TaskState)> {
    let state = |name| TaskState::ALL.into_iter().find(|state| state.proto_name() == name);
    let (from, to) = transition.split_once("->")?;
    Some((state(from)?, state(to)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::families::tests::counted;
    use super::*;
    use std::time::Duration;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Returns the counters that `act` has changed.
    fn counted_of(act: impl FnOnce()) -> Vec<String> {
        let metrics = Arc::new(Metrics::new().unwrap());
        let subscriber = tracing_subscriber::registry().with(Events::layer(Arc::clone(&metrics)));
        tracing::subscriber::with_default(subscriber, act);
        counted(&metrics)
    }

    #[test]
    fn every_event_of_the_contract_is_counted() {
        let lines = counted_of(|| {
            let (transition, deadline) = ("READY->STARTING", Duration::from_secs(3));
            for _ in 0..2 {
                tracing::debug!(target: "onward::exec::trace", { state.transition = %transition }, "state changed");
            }
            tracing::warn!(target: "onward::agent", call = "start", ?deadline, "deadline passed");
            tracing::warn!(target: "onward", reason = "it took too long", "driver terminates the task");
            tracing::warn!(target: "onward::agent", error = "no", "controller refused the definition");
            tracing::warn!(error = "no", "assignment refused");
            tracing::warn!(error = "no", "task file refused");
        });
        let expected = [
            r#"onward_deadlines_passed_total{operation="start"} 1"#,
            r#"onward_refusals_total{kind="assignment"} 1"#,
            r#"onward_refusals_total{kind="definition"} 1"#,
            r#"onward_refusals_total{kind="task_file"} 1"#,
            "onward_terminations_total 1",
            r#"onward_transitions_total{from="ready",to="starting"} 2"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn events_of_other_libraries_are_not_counted() {
        let lines = counted_of(|| {
            tracing::warn!(target: "other", "driver terminates the task");
            tracing::warn!(target: "onwards", "driver terminates the task");
            tracing::debug!(target: "onward", { state.transition = "HERE->THERE" }, "state changed");
            tracing::debug!(target: "onward", "state changed");
            tracing::error!(target: "onward", "fatal task error");
        });
        assert_eq!(lines, [""; 0]);
    }
}
