//! The mutex of this layer, and a condition variable for it.
//!
//! Only code of this library runs under the mutex: no controller, executor, runtime, sink, waker
//! or tracing subscriber, no comparison or deserialization of a definition, and no `Drop` of a
//! value of the embedder. With `--cfg shuttle` it is the mutex of the model checker `shuttle`,
//! which then tries many interleavings of threads.

use core::fmt;

#[cfg(not(shuttle))]
use std::sync::{Condvar as InnerCondvar, Mutex as Inner};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::MutexGuard, thread::ThreadId, thread::current};

#[cfg(shuttle)]
use shuttle::sync::{Condvar as InnerCondvar, Mutex as Inner};
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::MutexGuard, thread::ThreadId, thread::current};

/// A mutex that ignores poisoning. Its data is always consistent, because no code of the embedder
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

/// Waits for a change of the data under a [`Mutex`].
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
