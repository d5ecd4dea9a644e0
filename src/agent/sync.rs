//! The one mutex of this layer, and what goes with it.
//!
//! Under it runs only code of this library: no controller, executor, runtime, sink, waker,
//! tracing subscriber, no comparison or reading of a definition, and no `Drop` of an embedder's
//! value. With `--cfg shuttle` it is the mutex of the model checker `shuttle`, which then explores
//! the threads that use it.

use core::fmt;

#[cfg(not(shuttle))]
use std::sync::{Condvar as InnerCondvar, Mutex as Inner};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::MutexGuard, thread::ThreadId, thread::current};

#[cfg(shuttle)]
use shuttle::sync::{Condvar as InnerCondvar, Mutex as Inner};
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::MutexGuard, thread::ThreadId, thread::current};

/// A mutex that ignores poisoning: what it guards is whole at any time, since no foreign code
/// runs under it.
#[derive(Default)]
pub(crate) struct Mutex<T>(Inner<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits for a change of what a [`Mutex`] guards.
#[derive(Default)]
pub(crate) struct Condvar(InnerCondvar);

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex(..)")
    }
}

#[cfg(all(test, shuttle))]
pub(crate) mod model;
