//! A panic of an embedder's code, as an answer.

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
    /// It has failed for good.
    pub(crate) fn of(self, whose: &str) -> ControllerError {
        ControllerError::new(format!("the {whose} panicked: {self}"))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| self.0.downcast_ref::<String>().map(String::as_str));
        f.write_str(text.unwrap_or("no text"))
    }
}

/// Calls what may panic, and leave something broken of its own only.
#[cfg(feature = "redb")]
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(call)).map_err(Panic)
}

/// Polls a future; a panic in it is an answer.
pub(crate) fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    // What panicked may be broken after that, which is for the embedder to know;
    // nothing else is touched by it.
    match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(Panic(panic))),
    }
}
