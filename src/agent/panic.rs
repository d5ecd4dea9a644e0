//! A panic of an embedder's code, as an error.

use crate::exec::ControllerError;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic said.
pub(crate) struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// The panic as an error that is not temporary. `whose` is a noun: "controller".
    pub(crate) fn of(self, whose: &str) -> ControllerError {
        let error = ControllerError::new(format!("the {whose} panicked: {self}"));
        self.discard();
        error
    }

    /// Drops what was thrown. That may panic too, and what it throws then is leaked.
    fn discard(self) {
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(self))) {
            core::mem::forget(again);
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
