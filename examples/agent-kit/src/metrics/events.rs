use std::fmt::{self, Write as _};
use std::sync::Arc;

use onward::TaskState;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::recorded::Recorded;
use crate::history::MarkKind;

/// Counts the `tracing` events of the library and of this kit, and adds those of a task to its
/// history.
#[derive(Debug)]
pub struct Events(Recorded);

impl Events {
    /// Makes a layer that writes to these metrics and histories. Its filter accepts only the events
    /// that it uses, and the spans of tasks. It does not affect other layers.
    pub fn layer<S>(recorded: Recorded) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Self(recorded).with_filter(filter())
    }
}

/// The task of a span.
struct Task(Arc<str>);

fn filter() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let wanted: fn(&Metadata<'_>) -> bool = |metadata| {
        let root = metadata.target().split("::").next();
        let least = match root {
            Some("onward") => Level::DEBUG,
            Some("agent_kit") => Level::WARN,
            _ => return false,
        };
        let is_of_task = metadata.is_span() && metadata.name() == "task";
        (metadata.is_event() || is_of_task) && *metadata.level() <= least
    };
    filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Events {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Task(fields.task.into()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let task = || {
            let mut spans = context.event_scope(event).into_iter().flatten();
            spans.find_map(|span| span.extensions().get::<Task>().map(|task| Arc::clone(&task.0)))
        };
        let Recorded { metrics, history } = &self.0;
        let mark = |kind, text: &str| {
            if let Some(task) = task() {
                history.mark(&task, kind, text);
            }
        };
        match &*fields.message {
            "state changed" => {
                if let Some((from, to)) = edge(&fields.transition) {
                    metrics.transition(from, to);
                    history.moved(task().as_deref(), from, to);
                }
            }
            "deadline passed" => {
                metrics.deadline_passed(&fields.call);
                mark(MarkKind::Deadline, &fields.call);
            }
            "driver terminates the task" => {
                metrics.termination();
                mark(MarkKind::Termination, &fields.reason);
            }
            "controller refused the definition" => {
                metrics.refusal("definition");
                mark(MarkKind::Refusal, &fields.error);
            }
            "assignment refused" => metrics.refusal("assignment"),
            "task file refused" => metrics.refusal("task_file"),
            _ => {}
        }
    }
}

/// The fields of an event or a span that are used.
#[derive(Default)]
struct Fields {
    message: String,
    transition: String,
    call: String,
    reason: String,
    error: String,
    task: String,
}

impl Fields {
    fn of(&mut self, field: &Field) -> Option<&mut String> {
        match field.name() {
            "message" => Some(&mut self.message),
            "state.transition" => Some(&mut self.transition),
            "call" => Some(&mut self.call),
            "reason" => Some(&mut self.reason),
            "error" => Some(&mut self.error),
            "task.id" => Some(&mut self.task),
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

    /// Returns what `act` has recorded.
    fn recorded_of(act: impl FnOnce()) -> Recorded {
        let recorded = Recorded::new().unwrap();
        let subscriber = tracing_subscriber::registry().with(Events::layer(recorded.clone()));
        tracing::subscriber::with_default(subscriber, act);
        recorded
    }

    /// Returns the counters that `act` has changed.
    fn counted_of(act: impl FnOnce()) -> Vec<String> {
        counted(&recorded_of(act).metrics)
    }

    #[test]
    fn the_events_in_the_span_of_a_task_are_its_history() {
        let recorded = recorded_of(|| {
            let moved = |transition| tracing::debug!(target: "onward::exec::trace", { state.transition = transition }, "state changed");
            let _span = onward::exec::task_span("web").entered();
            moved("ASSIGNED->ACCEPTED");
            tracing::warn!(target: "onward", call = "start", deadline = 3, "deadline passed");
            tracing::warn!(target: "onward", reason = "it hung", "driver terminates the task");
            tracing::warn!(target: "onward", error = "no", "controller refused the definition");
            // A task within a span of its own.
            let _span = onward::exec::task_span("db").entered();
            moved("READY->STARTING");
        });
        let marks = recorded.history.of("web").marks;
        let marks: Vec<_> = marks.iter().map(|mark| (mark.kind, &*mark.text)).collect();
        let expected = [
            (MarkKind::Deadline, "start"),
            (MarkKind::Termination, "it hung"),
            (MarkKind::Refusal, "no"),
        ];
        assert_eq!(marks, expected);
        for (task, to) in [("web", TaskState::Accepted), ("db", TaskState::Starting)] {
            let states = recorded.history.of(task).states;
            assert_eq!(states.iter().map(|change| change.to).collect::<Vec<_>>(), [to], "{task}");
        }
        assert_eq!(recorded.history.recent_edges().len(), 2);
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
