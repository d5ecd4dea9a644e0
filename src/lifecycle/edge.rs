//! The law: which state follows which, and who makes it so.
//!
//! It is written once, as a table at the end of this file. The compiler knows
//! it as the trait [`Edge`], a program as the rows of [`EDGES`].

use super::state::{self, State, TaskState};
use super::table::lifecycle;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

/// A task in the state `Self` can move to the state `To`.
///
/// It is implemented for the edges of the table and for nothing else, and it
/// is what every move of a [`Task`](super::Task) asks for.
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

/// A state that an edge leaves: something can still happen to the task.
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
    label = "nothing happens to a task in `{Self}` any more"
)]
pub trait Live: State {}

/// One row of the table: an edge, and everyone who takes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Transition {
    /// The state that is left.
    pub from: TaskState,
    /// The state that is entered; always the greater one.
    pub to: TaskState,
    /// Who takes this edge in a swarm.
    pub by: &'static [Actor],
}

/// A part of a swarm that moves tasks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Actor {
    /// The agent on the task's node: what this library is for.
    Agent,
    /// The manager's allocator, which gives networks and ports.
    Allocator,
    /// The manager's scheduler, which gives a node.
    Scheduler,
    /// The manager's dispatcher, which finds that a node is lost.
    Dispatcher,
    /// The manager's control API, through which a node is removed.
    ControlApi,
}

impl Actor {
    /// The name, as one writes it in a sentence.
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

    /// Whether edges lead from this state to `to`, one or several.
    ///
    /// A state does not reach itself: no path goes round.
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

    /// The states from which one edge leads here, in ascending order.
    pub fn predecessors(self) -> impl Iterator<Item = Self> + Clone {
        EDGES.iter().filter(move |row| row.to == self).map(|row| row.from)
    }

    /// A shortest way along the edges from this state to `to`, with both ends;
    /// `None` if none leads there.
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
        // Every edge goes up, so the states between, taken from the end, have
        // their ways before they are asked for them.
        let mut ways = Vec::from([Vec::from([to])]);
        for state in Self::ALL.into_iter().rev().filter(|state| (self..to).contains(state)) {
            let goes_on =
                |way: &&Vec<Self>| way.first().is_some_and(|next| state.can_become(*next));
            if let Some(shortest) = ways.iter().filter(goes_on).min_by_key(|way| way.len()) {
                let way = [&[state], shortest.as_slice()].concat();
                ways.push(way);
            }
        }
        ways.pop().filter(|way| way.len() > 1 && way.first() == Some(&self))
    }
}

/// Asks the type system for an edge, in a constant: where there is one, the
/// inherent constant shadows that of the trait.
struct Probe<From, To>(PhantomData<(From, To)>);

trait WithoutEdge {
    const HAS_EDGE: bool = false;
}

impl<From, To> WithoutEdge for Probe<From, To> {}

impl<From: Edge<To>, To: State> Probe<From, To> {
    const HAS_EDGE: bool = true;
}

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
