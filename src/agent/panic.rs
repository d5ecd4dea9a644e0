//! A panic of an embedder's code, as an error.
//!
//! Every call, poll, drop, comparison and formatting of an embedder's value goes through
//! one of these functions, or through those of `runtime.rs`.

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

/// What a panic said.
pub(crate) struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// The panic as an error that is not temporary. `whose` is a noun: "controller".
    pub(crate) fn of(self, whose: &str) -> ControllerError {
        ControllerError::new(format!("the {whose} panicked: {self}"))
    }
}

impl Drop for Panic {
    /// Drops what was thrown. That may panic too, and what it throws then is leaked.
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

/// Calls what may panic. Only what it owns may be broken afterwards.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(Panic)
}

/// Polls a future that may panic. After a panic only the future may be broken.
pub(crate) fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    match caught(|| future.poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// Drops a future in its place. The drop may panic.
pub(crate) fn drop_caught<F>(mut future: Pin<&mut Option<F>>) -> Result<(), Panic> {
    caught(|| future.set(None))
}

/// Drops a value of the embedder's, which may panic. `whose` is a noun: "status sink".
pub(crate) fn discard<T>(whose: &str, value: T) {
    if let Err(panic) = caught(|| drop(value)) {
        tracing::error!(%panic, "{whose} panicked when dropped");
    }
}

/// Wakes, which may panic.
pub(crate) fn wake(waker: Waker) {
    if let Err(panic) = caught(|| waker.wake()) {
        tracing::error!(%panic, "waker panicked");
    }
}

/// The text of an error of the embedder's, with its causes. Making it may panic.
pub(crate) fn text_of(error: &dyn fmt::Display) -> String {
    let text = caught(|| format!("{error:#}"));
    text.unwrap_or_else(|panic| format!("its error panicked when formatted: {panic}"))
}

/// Whether two definitions are equal. A comparison that panics counts as unequal, so that the
/// controller is offered the definition.
pub(crate) fn are_equal<D: PartialEq>(a: &D, b: &D) -> bool {
    caught(|| a == b).unwrap_or_else(|panic| {
        tracing::error!(%panic, "definitions panicked when compared");
        false
    })
}
