//! Listeners to the statuses of all tasks of a worker.

use crate::agent::panic::discard;
use crate::agent::sink::{StatusSink, deliver, deliver_removed};
use crate::agent::sync::{Condvar, Mutex, ThreadId, current};
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::{fmt, mem};

/// A subscription to the statuses of all tasks of a worker; see
/// [`WorkerHandle::listen`](super::WorkerHandle::listen). It ends when you drop it.
///
/// After the drop has returned, the sink is not called again. If a call is in progress on another
/// thread, the drop waits for it.
#[must_use = "if it is dropped, the sink is not called any more"]
pub struct Listener {
    cell: Arc<Cell>,
    listeners: Arc<Listeners>,
    number: u64,
    is_forever: bool,
}

impl Listener {
    /// Keeps the subscription until the worker is dropped.
    pub fn forever(mut self) {
        self.is_forever = true;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_forever {
            return;
        }
        // The sink is dropped with the last `Arc`, outside of the lock.
        let removed = self.listeners.remove(self.number);
        self.cell.stop();
        drop(removed);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// The listeners of a worker. Handles add them, and the drop of a [`Listener`] removes it, even if
/// the worker does not run.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Table>);

/// The listeners by their numbers. The numbers have the order in which the listeners were added.
pub(super) type Cells = BTreeMap<u64, Arc<Cell>>;

#[derive(Default)]
struct Table {
    numbers: u64,
    /// The listeners that have not received the stored statuses yet.
    newcomers: Cells,
    /// The highest number that the worker has read.
    seen: u64,
    /// Whether the worker was notified of newcomers that it has not read.
    is_told: bool,
    /// All other listeners. The map is copied only if it changes while the worker calls them.
    introduced: Arc<Cells>,
    is_closed: bool,
}

impl Listeners {
    /// Adds a listener. `true` if the worker must be notified of newcomers.
    pub(super) fn add(self: &Arc<Self>, sink: impl StatusSink + 'static) -> (Listener, bool) {
        let cell = Arc::new(Cell::new(sink));
        let mut table = self.0.lock();
        table.numbers += 1;
        let number = table.numbers;
        let mut is_news = false;
        if !table.is_closed {
            table.newcomers.insert(number, Arc::clone(&cell));
            is_news = !mem::replace(&mut table.is_told, true);
        }
        drop(table);
        (Listener { cell, listeners: Arc::clone(self), number, is_forever: false }, is_news)
    }

    /// The numbers of the newcomers that the worker has not read before.
    pub(super) fn see_newcomers(&self) -> Vec<u64> {
        let mut table = self.0.lock();
        table.is_told = false;
        let (seen, newest) = (table.seen, table.numbers);
        table.seen = newest;
        table.newcomers.range(seen + 1..).map(|(number, _)| *number).collect()
    }

    /// A newcomer. None if it was dropped.
    pub(super) fn newcomer(&self, number: u64) -> Option<Arc<Cell>> {
        self.0.lock().newcomers.get(&number).map(Arc::clone)
    }

    /// A newcomer has received the stored statuses. From now on it gets new ones.
    pub(super) fn introduced(&self, number: u64) {
        let mut table = self.0.lock();
        if let Some(cell) = table.newcomers.remove(&number) {
            Arc::make_mut(&mut table.introduced).insert(number, cell);
        }
    }

    /// The listeners that get new statuses.
    pub(super) fn all(&self) -> Arc<Cells> {
        Arc::clone(&self.0.lock().introduced)
    }

    /// Removes a listener.
    fn remove(&self, number: u64) -> Option<Arc<Cell>> {
        let mut table = self.0.lock();
        let newcomer = table.newcomers.remove(&number);
        if newcomer.is_some() || !table.introduced.contains_key(&number) {
            return newcomer;
        }
        Arc::make_mut(&mut table.introduced).remove(&number)
    }

    /// Removes all listeners, and adds no more.
    pub(super) fn close(&self) {
        let mut table = self.0.lock();
        table.is_closed = true;
        let (newcomers, introduced) =
            (mem::take(&mut table.newcomers), mem::take(&mut table.introduced));
        drop(table);
        drop((newcomers, introduced));
    }
}

/// A sink, and the thread that calls it.
pub(super) struct Cell {
    /// None only during a drop.
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

    /// Passes a status to the sink. Returns false if the listener was dropped.
    pub(super) fn changed(&self, id: &str, status: &TaskStatus) -> bool {
        self.call(|sink| deliver(sink, id, status.clone()))
    }

    /// Passes the removal of a task to the sink. Returns false if the listener was dropped.
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

    /// Stops the calls. Waits for a call that is in progress on another thread.
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
