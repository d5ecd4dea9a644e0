//! The one mutex of this layer.
//!
//! Under it runs only code of this library: no controller, executor, runtime, sink, waker,
//! tracing subscriber, and no `Drop` of an embedder's value. With `--cfg shuttle` it is the
//! mutex of the model checker `shuttle`, which then explores the threads that use it.

use core::fmt;

#[cfg(not(shuttle))]
pub(crate) use std::sync::Condvar;
#[cfg(not(shuttle))]
use std::sync::{Mutex as Inner, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::Condvar;
#[cfg(shuttle)]
use shuttle::sync::{Mutex as Inner, MutexGuard};

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

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex(..)")
    }
}
