//! Those who listen to the statuses of all tasks.

use crate::agent::panic::discard;
use crate::agent::sink::{StatusSink, deliver, deliver_removed};
use crate::agent::sync::{Condvar, Mutex, ThreadId, current};
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// Listens to the statuses of all tasks of a worker, until it is dropped; see
/// [`WorkerHandle::listen`](super::WorkerHandle::listen).
///
/// When its drop returns, its sink is not called any more. If a call is in progress on another
/// thread, the drop waits for that call.
#[must_use = "if it is dropped, the sink is not called any more"]
pub struct Listener {
    cell: Arc<Cell>,
    is_forever: bool,
}

impl Listener {
    pub(super) fn new(cell: Arc<Cell>) -> Self {
        Self { cell, is_forever: false }
    }

    /// Listens for as long as the worker exists.
    pub fn forever(mut self) {
        self.is_forever = true;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.is_forever {
            self.cell.stop();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// A sink, and whether it is called.
pub(super) struct Cell {
    /// Always there, until it is dropped.
    sink: Option<Box<dyn StatusSink>>,
    state: Mutex<State>,
    is_over: Condvar,
}

#[derive(Default)]
struct State {
    is_stopped: bool,
    /// The thread that calls the sink.
    caller: Option<ThreadId>,
}

impl Cell {
    pub(super) fn new(sink: impl StatusSink + 'static) -> Self {
        let state = Mutex::new(State::default());
        Self { sink: Some(Box::new(sink)), state, is_over: Condvar::default() }
    }

    /// The status of a task has changed. Returns false if nobody listens any more.
    pub(super) fn changed(&self, id: &str, status: &TaskStatus) -> bool {
        self.call(|sink| deliver(sink, id, status.clone()))
    }

    /// A task was removed. Returns false if nobody listens any more.
    pub(super) fn removed(&self, id: &str) -> bool {
        self.call(|sink| deliver_removed(sink, id))
    }

    fn call(&self, call: impl FnOnce(&dyn StatusSink)) -> bool {
        let mut state = self.state.lock();
        if state.is_stopped {
            return false;
        }
        state.caller = Some(current().id());
        drop(state);
        if let Some(sink) = &self.sink {
            call(&**sink);
        }
        self.state.lock().caller = None;
        self.is_over.notify_all();
        true
    }

    /// Returns when no call is in progress, and none begins any more. A sink may call it.
    fn stop(&self) {
        let own = current().id();
        let mut state = self.state.lock();
        state.is_stopped = true;
        while state.caller.is_some_and(|caller| caller != own) {
            state = self.is_over.wait(state);
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        discard("status sink", self.sink.take());
    }
}

#[cfg(all(test, shuttle))]
mod shuttle_tests;
