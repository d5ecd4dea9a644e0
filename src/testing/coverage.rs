//! Which edges of the table a run has taken.

use crate::diagram::{Diagram, DiagramFormat};
use crate::lifecycle::{Actor, EDGES, TaskState, Transition};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Which moves were made, and how often.
///
/// It is filled by hand, move by move, or by a [`CoverageLayer`]. What was moved
/// need not be of this library: a list of reported states does as well.
///
/// ```
/// use onward::TaskState::{Accepted, Assigned, Complete, Pending, Rejected};
/// use onward::diagram::DiagramFormat;
/// use onward::lifecycle::Actor;
/// use onward::testing::Coverage;
///
/// let reported = [Pending, Assigned, Accepted, Complete];
/// let coverage = Coverage::from_iter(reported.windows(2).map(|pair| (pair[0], pair[1])));
///
/// assert_eq!(coverage.count(Assigned, Accepted), 1);
/// assert!(coverage.untaken(Actor::Agent).any(|edge| (edge.from, edge.to) == (Assigned, Rejected)));
/// // What the table does not have is not lost.
/// assert_eq!(coverage.strays().next(), Some((Accepted, Complete, 1)));
///
/// let table = coverage.diagram(Actor::Agent, DiagramFormat::Markdown).to_string();
/// assert!(table.contains("| ASSIGNED | ACCEPTED | SHUTDOWN **(untaken)**, "));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    moves: BTreeMap<(TaskState, TaskState), u64>,
}

impl Coverage {
    /// No move yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a move, be it an edge or not.
    pub fn record(&mut self, from: TaskState, to: TaskState) {
        *self.moves.entry((from, to)).or_default() += 1;
    }

    /// How often this move was made.
    pub fn count(&self, from: TaskState, to: TaskState) -> u64 {
        self.moves.get(&(from, to)).copied().unwrap_or_default()
    }

    /// The edges that were taken, in the order of the table, and how often.
    pub fn taken(&self) -> impl Iterator<Item = (&'static Transition, u64)> {
        let counts = EDGES.iter().map(|edge| (edge, self.count(edge.from, edge.to)));
        counts.filter(|(_, count)| *count > 0)
    }

    /// The edges of this actor that were not taken.
    pub fn untaken(&self, by: Actor) -> impl Iterator<Item = &'static Transition> {
        let of = EDGES.iter().filter(move |edge| edge.by.contains(&by));
        of.filter(|edge| self.count(edge.from, edge.to) == 0)
    }

    /// The moves that are no edges, and how often each was made.
    pub fn strays(&self) -> impl Iterator<Item = (TaskState, TaskState, u64)> {
        let moves = self.moves.iter().map(|((from, to), count)| (*from, *to, *count));
        moves.filter(|(from, to, _)| !from.can_become(*to))
    }

    /// The table, with the edges of this actor that were not taken marked.
    pub fn diagram(&self, by: Actor, format: DiagramFormat) -> Diagram {
        Diagram::new(format).with_untaken(self.untaken(by).copied())
    }
}

impl Extend<(TaskState, TaskState)> for Coverage {
    fn extend<I: IntoIterator<Item = (TaskState, TaskState)>>(&mut self, moves: I) {
        moves.into_iter().for_each(|(from, to)| self.record(from, to));
    }
}

impl FromIterator<(TaskState, TaskState)> for Coverage {
    fn from_iter<I: IntoIterator<Item = (TaskState, TaskState)>>(moves: I) -> Self {
        let mut coverage = Self::new();
        coverage.extend(moves);
        coverage
    }
}

/// A layer for `tracing` that counts the moves that the library logs. Clones
/// count together.
///
/// Each change of state that [`step`](crate::step), a driver or a worker makes is
/// an event of level DEBUG with the field `state.transition`. Moves made by hand,
/// on a [`Task`](crate::Task) or an [`AnyTask`](crate::AnyTask), are not logged.
///
/// ```
/// use onward::exec::SystemClock;
/// use onward::testing::{CoverageLayer, NoopController};
/// use onward::{AnyTask, TaskState, TaskStatus, step};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let layer = CoverageLayer::default();
/// let subscriber = tracing_subscriber::registry().with(layer.clone());
///
/// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Ready));
/// let mut controller = NoopController::default();
/// tracing::subscriber::with_default(subscriber, || {
///     let step = step(&mut task, TaskState::Running, &mut controller, &SystemClock);
///     futures::executor::block_on(step)
/// });
/// assert_eq!(layer.coverage().count(TaskState::Ready, TaskState::Starting), 1);
/// ```
///
/// It hears what reaches it: the events of level DEBUG, on threads where its subscriber
/// is the default one. What a filter drops counts as untaken. For all threads of a
/// program it is part of the global default; each program of a run of tests has one of
/// its own.
#[derive(Clone, Default, Debug)]
pub struct CoverageLayer(Arc<Mutex<Coverage>>);

impl CoverageLayer {
    /// What has been counted so far.
    pub fn coverage(&self) -> Coverage {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Coverage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for CoverageLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut transition = LoggedMove(None);
        if event.metadata().target().starts_with("onward::") {
            event.record(&mut transition);
        }
        if let LoggedMove(Some((from, to))) = transition {
            self.lock().record(from, to);
        }
    }
}

/// The value of `state.transition`, as `READY->STARTING`.
struct LoggedMove(Option<(TaskState, TaskState)>);

impl Visit for LoggedMove {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "state.transition" {
            let text: String = format!("{value:?}");
            let named = |name| TaskState::ALL.into_iter().find(|state| state.proto_name() == name);
            let ends = text.split_once("->");
            self.0 = ends.and_then(|(from, to)| Some((named(from)?, named(to)?)));
        }
    }
}
