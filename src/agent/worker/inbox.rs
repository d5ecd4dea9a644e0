//! The inbox of a worker: a queue of events from its handles and drivers.

use super::core::{Answer, Message};
use crate::agent::driver::{DriverExit, Notice};
use crate::agent::panic::{discard, wake};
use crate::agent::sync::Mutex;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll, Waker};
use futures::channel::oneshot;

/// An event for a worker.
pub(super) enum Event<D> {
    Message(Message<D>, oneshot::Sender<Answer>),
    /// The driver of the task with this id has changes to collect.
    Changed(Arc<str>),
    /// The future of a driver has returned, or was dropped before its end (none).
    Ended(Arc<str>, Option<DriverExit>),
    Listed(Option<Vec<String>>),
    Reconciled(String, bool),
    /// There are new listeners.
    Listen,
    Close,
}

/// A queue of events. Only the worker reads it. No event is dropped under its lock.
pub(super) struct Inbox<D>(Mutex<State<D>>);

struct State<D> {
    events: Vec<Event<D>>,
    /// Wakes the worker.
    waker: Option<Waker>,
    is_closed: bool,
}

impl<D> Inbox<D> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { events: Vec::new(), waker: None, is_closed: false }))
    }

    /// Puts an event into the queue. Returns the event if the inbox is closed.
    pub(super) fn put(&self, event: Event<D>) -> Option<Event<D>> {
        let mut state = self.0.lock();
        if state.is_closed {
            return Some(event);
        }
        state.events.push(event);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            wake(waker);
        }
        None
    }

    /// Takes all events out of the queue.
    pub(super) fn take(&self) -> Vec<Event<D>> {
        mem::take(&mut self.0.lock().events)
    }

    /// Ready if there is an event.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut fresh = None;
        loop {
            let mut state = self.0.lock();
            if !state.events.is_empty() {
                drop(state);
                return Poll::Ready(());
            }
            if state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            // A waker is code of the embedder: it is cloned and dropped outside of the lock.
            let Some(waker) = fresh.take() else {
                drop(state);
                fresh = Some(context.waker().clone());
                continue;
            };
            let before = state.waker.replace(waker);
            drop(state);
            drop(before);
            return Poll::Pending;
        }
    }

    /// Closes the inbox and drops all events. Callers that wait for an answer get
    /// [`AssignError::Closed`](super::AssignError::Closed).
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let (events, waker) = (mem::take(&mut state.events), state.waker.take());
        drop(state);
        for event in events {
            discard("message", event);
        }
        discard("waker", waker);
    }
}

impl<D: Send + Sync> Notice for Inbox<D> {
    fn changed(&self, id: &Arc<str>) {
        drop(self.put(Event::Changed(Arc::clone(id))));
    }
}

#[cfg(all(test, shuttle))]
mod shuttle_tests;
