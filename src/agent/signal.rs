//! Notification of watchers: a counter of changes, and the wakers of the watchers.

use super::panic::wake;
use super::sync::Mutex;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll, Waker};

/// Counts changes, and wakes the watchers that wait for one.
///
/// Write the change first, then call [`notify`](Self::notify). A [`Watcher`] that is woken sees
/// the change.
#[derive(Default, Debug)]
pub(crate) struct Signal(Mutex<State>);

#[derive(Default)]
struct State {
    changes: u32,
    /// The last key of a watcher.
    keys: u32,
    /// Boxed, because most signals have no watcher.
    waiting: Option<Box<Waiting>>,
}

/// The wakers of the watchers that wait, by their keys.
#[derive(Default)]
struct Waiting(Vec<(u32, Waker)>);

/// Waits for changes of a [`Signal`]. It must be [forgotten](Signal::forget) when it is dropped.
#[derive(Default, Debug)]
pub(crate) struct Watcher {
    /// Its key, after it has waited once.
    key: Option<u32>,
    seen: Option<u32>,
}

/// A [`Watcher`] that is forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Watching<'a> {
    signal: &'a Signal,
    watcher: Watcher,
}

impl Watching<'_> {
    /// As [`Signal::poll`].
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        self.signal.poll(&mut self.watcher, context)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.signal.forget(&self.watcher);
    }
}

impl Signal {
    /// A watcher that is forgotten when it is dropped.
    pub(crate) fn watch(&self) -> Watching<'_> {
        Watching { signal: self, watcher: Watcher::default() }
    }

    /// Counts a change, and wakes all watchers that wait.
    pub(crate) fn notify(&self) {
        let mut state = self.0.lock();
        state.changes = state.changes.wrapping_add(1);
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        // Outside of the lock: a waker may poll its task at once.
        for (_, waker) in waiting.map(|waiting| waiting.0).unwrap_or_default() {
            wake(waker);
        }
    }

    /// Ready at the first call, and if there was a change since the watcher was ready last.
    /// Otherwise it wakes the context at the next change.
    pub(crate) fn poll(&self, watcher: &mut Watcher, context: &Context<'_>) -> Poll<()> {
        let mut waker = None;
        loop {
            let mut state = self.0.lock();
            if watcher.seen != Some(state.changes) {
                watcher.seen = Some(state.changes);
                drop(state);
                return Poll::Ready(());
            }
            let key = *watcher.key.get_or_insert_with(|| {
                state.keys = state.keys.wrapping_add(1);
                state.keys
            });
            let waiting = &mut state.waiting.get_or_insert_default().0;
            let place = waiting.iter_mut().find(|(other, _)| *other == key);
            if let Some((_, waiting)) = &place
                && waiting.will_wake(context.waker())
            {
                return Poll::Pending;
            }
            // A waker is code of the embedder: it is cloned and dropped outside of the lock.
            let Some(waker) = waker.take() else {
                drop(state);
                waker = Some(context.waker().clone());
                continue;
            };
            let before = if let Some((_, before)) = place {
                Some(mem::replace(before, waker))
            } else {
                waiting.push((key, waker));
                None
            };
            drop(state);
            drop(before);
            return Poll::Pending;
        }
    }

    /// Removes the waker of a watcher that is being dropped.
    pub(crate) fn forget(&self, watcher: &Watcher) {
        let Some(key) = watcher.key else { return };
        let mut state = self.0.lock();
        let waiting = state.waiting.as_mut().map(|waiting| &mut waiting.0);
        let waker = waiting.and_then(|waiting| {
            let place = waiting.iter().position(|(other, _)| *other == key)?;
            Some(waiting.swap_remove(place))
        });
        drop(state);
        drop(waker);
    }
}

#[cfg(all(test, shuttle))]
mod shuttle_tests;
