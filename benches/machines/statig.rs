//! The life of a task with statig: a function for each state.

use super::record::{At, Record};
use statig::prelude::*;

/// An event of a task, with its time.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Allocated(At),
    Assigned(At),
    Accepted(At),
    Preparing(At),
    Prepared(At),
    Starting(At),
    Started(At),
    Finished(At),
    ShutDown(At),
    Failed(At),
    Orphaned(At),
}

/// A task with its record.
#[derive(Debug, Default)]
pub struct Task {
    pub record: Record,
}

impl Task {
    fn done(&mut self, message: &'static str, at: At, to: State) -> Outcome<State> {
        self.record.done(message, at);
        Transition(to)
    }

    fn ended(&mut self, at: At, to: State) -> Outcome<State> {
        self.record.ended("failed", at);
        Transition(to)
    }

    fn orphaned_or_not_begun(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Orphaned(at) => self.done("orphaned", *at, State::orphaned()),
            _ => self.not_begun(event),
        }
    }

    fn not_begun(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::ShutDown(at) => self.done("shutdown", *at, State::shutdown()),
            Event::Failed(at) => self.ended(*at, State::rejected()),
            _ => Handled,
        }
    }

    fn begun(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::ShutDown(at) => self.done("shutdown", *at, State::shutdown()),
            Event::Failed(at) => self.ended(*at, State::failed()),
            Event::Orphaned(at) => self.done("orphaned", *at, State::orphaned()),
            _ => Handled,
        }
    }
}

#[state_machine(initial = "State::new_task()", state(derive(Debug)))]
impl Task {
    #[state]
    fn new_task(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Allocated(at) => self.done("pending task scheduling", *at, State::pending()),
            Event::Accepted(at) => self.done("accepted", *at, State::accepted()),
            _ => self.not_begun(event),
        }
    }

    #[state]
    fn pending(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Assigned(at) => {
                self.done("scheduler assigned task to node", *at, State::assigned())
            }
            Event::Accepted(at) => self.done("accepted", *at, State::accepted()),
            _ => self.not_begun(event),
        }
    }

    #[state]
    fn assigned(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Accepted(at) => self.done("accepted", *at, State::accepted()),
            _ => self.orphaned_or_not_begun(event),
        }
    }

    #[state]
    fn accepted(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Preparing(at) => self.done("preparing", *at, State::preparing()),
            _ => self.orphaned_or_not_begun(event),
        }
    }

    #[state]
    fn preparing(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Prepared(at) => self.done("prepared", *at, State::ready()),
            _ => self.orphaned_or_not_begun(event),
        }
    }

    #[state]
    fn ready(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Starting(at) => self.done("starting", *at, State::starting()),
            _ => self.orphaned_or_not_begun(event),
        }
    }

    #[state]
    fn starting(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Started(at) => self.done("started", *at, State::running()),
            _ => self.begun(event),
        }
    }

    #[state]
    fn running(&mut self, event: &Event) -> Outcome<State> {
        match event {
            Event::Finished(at) => self.done("finished", *at, State::complete()),
            _ => self.begun(event),
        }
    }

    #[state]
    fn complete() -> Outcome<State> {
        Handled
    }

    #[state]
    fn shutdown() -> Outcome<State> {
        Handled
    }

    #[state]
    fn failed() -> Outcome<State> {
        Handled
    }

    #[state]
    fn rejected() -> Outcome<State> {
        Handled
    }

    #[state]
    fn remove() -> Outcome<State> {
        Handled
    }

    #[state]
    fn orphaned() -> Outcome<State> {
        Handled
    }
}
