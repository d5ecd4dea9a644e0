//! A fair limit on how many operations run at once.

use super::panic::wake;
use super::sync::Mutex;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::mem;
use core::task::{Context, Poll, Waker};

/// A semaphore: grants a limited number of permits at once, in the order of their first poll. Each
/// operation takes logarithmic time in the number of permits that wait.
#[derive(Clone, Debug)]
pub(super) struct Limit(Arc<Mutex<State>>);

struct State {
    /// The number of free permits. If it is above zero, no ticket waits.
    free: usize,
    /// The last ticket.
    tickets: u64,
    /// The tickets that wait, in their order.
    waiting: BTreeMap<u64, Waker>,
    /// The tickets that were granted, and whose permits were not polled since.
    granted: BTreeSet<u64>,
}

/// A permit of a [`Limit`], or its place in the queue. If you drop it, both are given up.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Limit,
    place: Place,
}

/// The state of a permit.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// It was never polled.
    None,
    /// It waits with this ticket.
    Queued(u64),
    Granted,
}

impl Limit {
    /// A limit of `most` permits, at least one.
    pub(super) fn new(most: usize) -> Self {
        let (waiting, granted) = (BTreeMap::new(), BTreeSet::new());
        Self(Arc::new(Mutex::new(State { free: most.max(1), tickets: 0, waiting, granted })))
    }

    /// A permit. It enters the queue at its first poll.
    pub(super) fn permit(&self) -> Permit {
        Permit { limit: self.clone(), place: Place::None }
    }
}

impl State {
    /// Passes a permit to the first ticket in the queue. Returns its waker.
    fn pass_on(&mut self) -> Option<Waker> {
        if let Some((ticket, waker)) = self.waiting.pop_first() {
            self.granted.insert(ticket);
            Some(waker)
        } else {
            self.free += 1;
            None
        }
    }
}

impl Permit {
    /// Ready when the permit is granted.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if matches!(self.place, Place::Granted) {
            return Poll::Ready(());
        }
        // A waker is code of the embedder: it is cloned and dropped outside of the lock.
        let waker = context.waker().clone();
        let mut state = self.limit.0.lock();
        let (is_granted, ticket) = match self.place {
            Place::Queued(ticket) => (state.granted.remove(&ticket), ticket),
            // No ticket waits, so this permit is granted at once.
            Place::None | Place::Granted if state.free > 0 => {
                state.free -= 1;
                (true, 0)
            }
            Place::None | Place::Granted => {
                state.tickets += 1;
                (false, state.tickets)
            }
        };
        if is_granted {
            self.place = Place::Granted;
            drop(state);
            return Poll::Ready(());
        }
        self.place = Place::Queued(ticket);
        let before = state.waiting.insert(ticket, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let place = mem::replace(&mut self.place, Place::None);
        let mut state = self.limit.0.lock();
        let (own, next) = match place {
            Place::None => (None, None),
            Place::Granted => (None, state.pass_on()),
            Place::Queued(ticket) if state.granted.remove(&ticket) => (None, state.pass_on()),
            Place::Queued(ticket) => (state.waiting.remove(&ticket), None),
        };
        drop(state);
        drop(own);
        if let Some(next) = next {
            wake(next);
        }
    }
}

#[cfg(all(test, shuttle))]
mod shuttle_tests;
#[cfg(all(test, not(shuttle)))]
mod tests;
