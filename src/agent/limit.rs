//! A fair limit on how many operations run at once.

use super::panic::wake;
use super::sync::Mutex;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

/// At most so many permits at once, given in the order in which they were asked for.
#[derive(Clone, Debug)]
pub(super) struct Limit(Arc<Mutex<State>>);

struct State {
    free: usize,
    tickets: u64,
    /// Those who wait, in their order. A waker is taken out when it is woken.
    queue: VecDeque<(u64, Option<Waker>)>,
}

/// A place in the queue, then a permit. Dropped, it gives up both.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Limit,
    ticket: u64,
    is_granted: bool,
}

impl Limit {
    /// A limit of at least one.
    pub(super) fn new(most: usize) -> Self {
        let free = most.max(1);
        Self(Arc::new(Mutex::new(State { free, tickets: 0, queue: VecDeque::new() })))
    }

    /// Asks for a permit. Its place in the queue begins with the first poll.
    pub(super) fn permit(&self) -> Permit {
        Permit { limit: self.clone(), ticket: 0, is_granted: false }
    }
}

impl Permit {
    /// Ready when the permit is granted.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.is_granted {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let mut state = self.limit.0.lock();
        if self.ticket == 0 {
            state.tickets += 1;
            self.ticket = state.tickets;
        }
        let ticket = self.ticket;
        let place = state.queue.iter().position(|(other, _)| *other == ticket);
        // A newcomer does not pass those who wait.
        let turn = place.map_or(state.queue.len(), |place| place);
        if turn < state.free {
            state.free -= 1;
            let own = place.and_then(|place| state.queue.remove(place));
            drop(state);
            drop((own, waker));
            self.is_granted = true;
            return Poll::Ready(());
        }
        let own = place.and_then(|place| state.queue.get_mut(place));
        let before = if let Some((_, before)) = own {
            before.replace(waker)
        } else {
            state.queue.push_back((ticket, Some(waker)));
            None
        };
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limit.0.lock();
        let mut own = None;
        if self.is_granted {
            state.free += 1;
        } else if let Some(place) = state.queue.iter().position(|(other, _)| *other == self.ticket)
        {
            own = state.queue.remove(place);
        }
        // Those whose turn it is. They keep their place until they look.
        let free = state.free;
        let next: Vec<Waker> =
            state.queue.iter_mut().take(free).filter_map(|(_, waker)| waker.take()).collect();
        drop(state);
        drop(own);
        for waker in next {
            wake(waker);
        }
    }
}

#[cfg(all(test, shuttle))]
mod shuttle_tests;
