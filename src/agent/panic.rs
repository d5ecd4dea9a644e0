//! Catches panics in code of the embedder, and makes errors of them.
//!
//! Every call, poll, drop, comparison and formatting of a value of the embedder goes through one
//! of these functions, or through those of `runtime.rs`.

use crate::exec::ControllerError;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The payload of a panic. It is shown as its text.
pub(crate) struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// The panic as an error that is not temporary. `whose` is a noun: "controller".
    pub(crate) fn of(self, whose: &str) -> ControllerError {
        ControllerError::new(format!("the {whose} panicked: {self}"))
    }
}

impl Drop for Panic {
    /// Drops the payload. If that panics too, the second payload is leaked.
    fn drop(&mut self) {
        let thrown = mem::replace(&mut self.0, Box::new(()));
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(thrown))) {
            mem::forget(again);
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| self.0.downcast_ref::<String>().map(String::as_str));
        f.write_str(text.unwrap_or("no text"))
    }
}

/// Calls a function and catches its panic. After a panic, only values that it owns may be
/// inconsistent.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(Panic)
}

/// Polls a future and catches its panic. After a panic, only the future may be inconsistent.
pub(crate) fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    match caught(|| future.poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// Drops a future in place and catches its panic.
pub(crate) fn drop_caught<F>(mut future: Pin<&mut Option<F>>) -> Result<(), Panic> {
    caught(|| future.set(None))
}

/// Drops a value of the embedder, and logs its panic. `whose` is a noun: "status sink".
pub(crate) fn discard<T>(whose: &str, value: T) {
    if let Err(panic) = caught(|| drop(value)) {
        tracing::error!(%panic, "{whose} panicked when dropped");
    }
}

/// Wakes a task, and logs a panic of the waker.
pub(crate) fn wake(waker: Waker) {
    if let Err(panic) = caught(|| waker.wake()) {
        tracing::error!(%panic, "waker panicked");
    }
}

/// The text of an error of the embedder, with its sources. A panic of its `Display` is caught.
pub(crate) fn text_of(error: &dyn fmt::Display) -> String {
    let text = caught(|| format!("{error:#}"));
    text.unwrap_or_else(|panic| format!("its error panicked when formatted: {panic}"))
}

/// Whether two definitions are equal. If the comparison panics, they count as unequal, so the
/// driver calls `update`.
pub(crate) fn are_equal<D: PartialEq>(a: &D, b: &D) -> bool {
    caught(|| a == b).unwrap_or_else(|panic| {
        tracing::error!(%panic, "definitions panicked when compared");
        false
    })
}
