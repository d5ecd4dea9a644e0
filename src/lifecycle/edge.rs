//! The table of legal transitions, and who makes each of them in a swarm.
//!
//! The table is at the end of this file and nowhere else. The compiler sees it as
//! implementations of [`Edge`]. A program reads it as the rows of [`EDGES`].

use super::state::{self, State, TaskState};
use super::table::lifecycle;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

/// A legal transition: a task in the state `Self` can move to the state `To`.
///
/// It is implemented for the edges of the table and for no other pair of states. Every
/// move of a [`Task`](super::Task) requires it.
///
/// ```
/// use onward::lifecycle::{Edge, state};
///
/// fn holds<From: Edge<To>, To: state::State>() {}
/// holds::<state::Ready, state::Starting>();
/// ```
///
/// ```compile_fail,E0277
/// # use onward::lifecycle::{Edge, state};
/// # fn holds<From: Edge<To>, To: state::State>() {}
/// holds::<state::Ready, state::Complete>();
/// ```
#[diagnostic::on_unimplemented(
    message = "a task cannot move from `{Self}` to `{To}`",
    label = "there is no edge from `{Self}` to `{To}`",
    note = "a task only moves onward, along the edges of `onward::lifecycle::EDGES`: a failure \
            before `Starting` is a rejection, from `Starting` on it is a failure, and nothing \
            follows a terminal state"
)]
pub trait Edge<To: State>: State {}

/// A state that is not terminal: at least one edge leaves it.
///
/// ```
/// use onward::lifecycle::{Live, state};
///
/// fn holds<S: Live>() {}
/// holds::<state::Ready>();
/// ```
///
/// ```compile_fail,E0277
/// # use onward::lifecycle::{Live, state};
/// # fn holds<S: Live>() {}
/// holds::<state::Complete>();
/// ```
#[diagnostic::on_unimplemented(
    message = "a task in `{Self}` has ended",
    label = "`{Self}` is a terminal state: no edge leaves it"
)]
pub trait Live: State {}

/// One row of the table: an edge, and who takes it in a swarm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Transition {
    /// The state before the move.
    pub from: TaskState,
    /// The state after the move. It is always greater than `from`.
    pub to: TaskState,
    /// Who takes this edge in a swarm.
    pub by: &'static [Actor],
}

/// A component of a swarm that moves tasks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Actor {
    /// The agent on the task's node. This library is for agents.
    Agent,
    /// The manager's allocator. It assigns networks and ports.
    Allocator,
    /// The manager's scheduler. It assigns a node.
    Scheduler,
    /// The manager's dispatcher. It detects lost nodes.
    Dispatcher,
    /// The manager's control API. It removes nodes.
    ControlApi,
}

impl Actor {
    /// The name in lower case, as in a sentence, for example `dispatcher`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Allocator => "allocator",
            Self::Scheduler => "scheduler",
            Self::Dispatcher => "dispatcher",
            Self::ControlApi => "control API",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl TaskState {
    /// Whether there is an edge from this state to `to`.
    pub const fn can_become(self, to: Self) -> bool {
        let mut rows = EDGES;
        while let [row, rest @ ..] = rows {
            if row.from.number() == self.number() && row.to.number() == to.number() {
                return true;
            }
            rows = rest;
        }
        false
    }

    /// Whether a path of one or more edges leads from this state to `to`.
    ///
    /// A state does not reach itself, because the table has no cycles.
    pub const fn can_reach(self, to: Self) -> bool {
        let mut rows = EDGES;
        while let [row, rest @ ..] = rows {
            if row.from.number() == self.number()
                && (row.to.number() == to.number() || row.to.can_reach(to))
            {
                return true;
            }
            rows = rest;
        }
        false
    }

    /// The states that one edge leads to, in ascending order.
    pub fn successors(self) -> impl Iterator<Item = Self> + Clone {
        EDGES.iter().filter(move |row| row.from == self).map(|row| row.to)
    }

    /// The states from which one edge leads to this state, in ascending order.
    pub fn predecessors(self) -> impl Iterator<Item = Self> + Clone {
        EDGES.iter().filter(move |row| row.to == self).map(|row| row.from)
    }

    /// A shortest path along the edges from this state to `to`, both ends included.
    /// `None` if there is no path.
    ///
    /// ```
    /// use onward::TaskState::{Assigned, Accepted, Orphaned, Rejected, Running};
    ///
    /// assert_eq!(Assigned.path_to(Rejected), Some(vec![Assigned, Rejected]));
    /// assert_eq!(Rejected.path_to(Orphaned), None);
    ///
    /// let path = Assigned.path_to(Running).unwrap();
    /// assert_eq!((path.len(), path[1]), (6, Accepted));
    /// ```
    pub fn path_to(self, to: Self) -> Option<Vec<Self>> {
        // Every edge leads to a greater state. In descending order, the path of each
        // successor is therefore known before it is needed.
        let mut paths = Vec::from([Vec::from([to])]);
        for state in Self::ALL.into_iter().rev().filter(|state| (self..to).contains(state)) {
            let continues =
                |path: &&Vec<Self>| path.first().is_some_and(|next| state.can_become(*next));
            if let Some(shortest) = paths.iter().filter(continues).min_by_key(|path| path.len()) {
                let path = [&[state], shortest.as_slice()].concat();
                paths.push(path);
            }
        }
        paths.pop().filter(|path| path.len() > 1 && path.first() == Some(&self))
    }
}

/// Checks in a constant whether the type system has an edge. If it has, the inherent
/// constant shadows the constant of the trait.
struct Probe<From, To>(PhantomData<(From, To)>);

trait WithoutEdge {
    const HAS_EDGE: bool = false;
}

impl<From, To> WithoutEdge for Probe<From, To> {}

impl<From: Edge<To>, To: State> Probe<From, To> {
    const HAS_EDGE: bool = true;
}

// Each row: a state, and the states it can become, each with the actors that take the edge.
// A state with an empty list is terminal.
lifecycle! {
    New       => [Pending(Allocator), Accepted(Agent), Shutdown(Agent), Rejected(Agent)];
    Pending   => [Assigned(Scheduler), Accepted(Agent), Shutdown(Agent Scheduler), Rejected(Agent)];
    Assigned  => [Accepted(Agent), Shutdown(Agent), Rejected(Agent), Orphaned(Dispatcher ControlApi)];
    Accepted  => [Preparing(Agent), Shutdown(Agent), Rejected(Agent), Orphaned(Dispatcher ControlApi)];
    Preparing => [Ready(Agent), Shutdown(Agent), Rejected(Agent), Orphaned(Dispatcher ControlApi)];
    Ready     => [Starting(Agent), Shutdown(Agent), Rejected(Agent), Orphaned(Dispatcher ControlApi)];
    Starting  => [Running(Agent), Shutdown(Agent), Failed(Agent), Orphaned(Dispatcher ControlApi)];
    Running   => [Complete(Agent), Shutdown(Agent), Failed(Agent), Orphaned(Dispatcher ControlApi)];
    Complete  => [];
    Shutdown  => [];
    Failed    => [];
    Rejected  => [];
    Remove    => [];
    Orphaned  => [];
}
