//! A panic of an embedder's code, as an answer.

use crate::exec::ControllerError;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic said.
pub(super) struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// It has failed for good.
    pub(super) fn of(self, whose: &str) -> ControllerError {
        let text = self.0.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| self.0.downcast_ref::<String>().map(String::as_str));
        ControllerError::new(format!("the {whose} panicked: {}", text.unwrap_or("no text")))
    }
}

/// Polls a future; a panic in it is an answer.
pub(super) fn poll_caught<F: Future>(
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
