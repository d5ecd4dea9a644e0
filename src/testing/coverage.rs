//! `Coverage`: which edges of the table your tests have taken.

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

/// Counts moves between states, to find edges that no test has taken.
///
/// Record moves with [`record`](Self::record) or with a [`CoverageLayer`]. The moves can
/// come from any source, for example from a list of reported states.
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
/// // Moves that the table does not have are counted separately.
/// assert_eq!(coverage.illegal_moves().next(), Some((Accepted, Complete, 1)));
///
/// let table = coverage.diagram(Actor::Agent, DiagramFormat::Markdown).to_string();
/// assert!(table.contains("| ASSIGNED | ACCEPTED | SHUTDOWN **(untaken)**, "));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    moves: BTreeMap<(TaskState, TaskState), u64>,
}

impl Coverage {
    /// An empty count.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a move, whether the table has it or not.
    pub fn record(&mut self, from: TaskState, to: TaskState) {
        *self.moves.entry((from, to)).or_default() += 1;
    }

    /// The number of times that this move was recorded.
    pub fn count(&self, from: TaskState, to: TaskState) -> u64 {
        self.moves.get(&(from, to)).copied().unwrap_or_default()
    }

    /// The taken edges in the order of the table, each with its count.
    pub fn taken(&self) -> impl Iterator<Item = (&'static Transition, u64)> {
        let counts = EDGES.iter().map(|edge| (edge, self.count(edge.from, edge.to)));
        counts.filter(|(_, count)| *count > 0)
    }

    /// The edges of this actor that were never taken.
    pub fn untaken(&self, by: Actor) -> impl Iterator<Item = &'static Transition> {
        let of = EDGES.iter().filter(move |edge| edge.by.contains(&by));
        of.filter(|edge| self.count(edge.from, edge.to) == 0)
    }

    /// The recorded moves that the table does not have, each with its count.
    pub fn illegal_moves(&self) -> impl Iterator<Item = (TaskState, TaskState, u64)> {
        let moves = self.moves.iter().map(|((from, to), count)| (*from, *to, *count));
        moves.filter(|(from, to, _)| !from.can_become(*to))
    }

    /// A diagram of the table that marks the untaken edges of this actor.
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

/// A `tracing` layer that counts the moves that the library logs.
///
/// Clones share one count. [`step`](crate::step), drivers and workers log each change of
/// state at level DEBUG, with the field `state.transition`. Moves that your code makes on a
/// [`Task`](crate::Task) or an [`AnyTask`](crate::AnyTask) are not logged.
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
/// It counts only events that reach it: those of level DEBUG, on threads where its
/// subscriber is the default. A move that a filter drops is missing. To count on all
/// threads of a program, make it part of the global default subscriber. Each test program
/// has its own count.
#[derive(Clone, Default, Debug)]
pub struct CoverageLayer(Arc<Mutex<Coverage>>);

impl CoverageLayer {
    /// The count so far.
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

/// The value of the log field `state.transition`, for example `READY->STARTING`.
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
