//! One call in flight, against interruption, deadline and panic.

use super::core::{Call, deadline_passed};
use super::shared::{Shared, Span};
use crate::agent::panic::{Panic, drop_caught, poll_caught};
use crate::agent::runtime::{Now, Runtime, Sleep};
use crate::lifecycle::Operation;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

/// Awaits a call until it returns, panics, is interrupted, or its deadline expires. Returns the
/// outcome and its time.
///
/// It is a macro because a function would take the future by value, and so store it twice.
macro_rules! race {
    ($race:ident, $call:expr) => {{
        // The expression is evaluated in the block, so that its panic is caught.
        let mut call = ::core::pin::pin!(Some(async { $call.await }));
        let outcome = ::core::future::poll_fn(|context| $race.poll(call.as_mut(), context)).await;
        (outcome, $race.now())
    }};
}
pub(super) use race;

/// How a call has ended.
pub(super) enum Outcome<T> {
    /// It has returned.
    Answer(T),
    /// It has panicked.
    Panicked(Panic),
    /// It was dropped: it was interrupted, or its deadline expired.
    Dropped,
    /// It was dropped, and its drop panicked.
    DropPanicked(Panic),
}

/// The age of a `terminate` at which the first warning is logged. Each next warning comes at
/// twice that age.
const REMINDER: Duration = Duration::from_secs(30);

/// A call in flight.
pub(super) struct Race<'a, D> {
    pub(super) shared: &'a Arc<Shared<D>>,
    runtime: &'a dyn Runtime,
    pub(super) call: Call,
    span: Span,
    /// Whether the first poll returned `Pending`. Most calls return at once and need no sleep.
    is_slow: bool,
    /// Boxed, because most calls have none.
    timer: Option<Box<Timer>>,
}

/// The deadline of a call, or the next warning about a slow `terminate`.
struct Timer {
    /// When the call began.
    since: Duration,
    at: Duration,
    sleep: Sleep,
}

impl<'a, D> Race<'a, D> {
    pub(super) fn new(
        shared: &'a Arc<Shared<D>>,
        runtime: &'a dyn Runtime,
        call: Call,
        span: Span,
    ) -> Self {
        Self { shared, runtime, call, span, is_slow: false, timer: None }
    }

    /// The time now.
    pub(super) fn now(&self) -> Now {
        Now::read(self.runtime, self.span.began.get().unwrap_or_default())
    }

    /// Polls the call. Its result counts first, then an interruption, then the deadline.
    pub(super) fn poll<F: Future>(
        &mut self,
        mut call: Pin<&mut Option<F>>,
        context: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        let Some(future) = call.as_mut().as_pin_mut() else { return Poll::Pending };
        if let Poll::Ready(answer) = poll_caught(future, context) {
            if let Err(panic) = drop_caught(call) {
                tracing::error!(task.id = &*self.shared.id, %panic, "finished operation panicked when dropped");
            }
            return Poll::Ready(answer.map_or_else(Outcome::Panicked, Outcome::Answer));
        }
        let is_interrupted = self.shared.look(context, |core| core.interrupts(self.call));
        if !is_interrupted {
            ready!(self.poll_deadline(context));
        }
        Poll::Ready(match drop_caught(call) {
            Ok(()) => Outcome::Dropped,
            Err(panic) => Outcome::DropPanicked(panic),
        })
    }

    /// Ready when the deadline of the call has expired. `terminate` has no deadline: warnings
    /// with its age are logged instead.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self { shared, runtime, call, span, .. } = *self;
        let is_terminate = call == Call::Operate(Operation::Terminate);
        if !mem::replace(&mut self.is_slow, true) {
            let began = span.began.get().unwrap_or_default();
            let at = if is_terminate { began.checked_add(REMINDER) } else { span.deadline.get() };
            self.timer = at.map(|at| Box::new(Timer::new(runtime, began, at)));
        }
        while let Some(timer) = &mut self.timer {
            ready!(Pin::new(&mut timer.sleep).poll(context));
            let Timer { since, at, .. } = **timer;
            if !is_terminate {
                let own = shared.with(|state| {
                    state.core.sleep_ended(at);
                    state.core.own_deadline(call, at)
                });
                if let Some(deadline) = own {
                    deadline_passed("inspect", deadline);
                }
                return Poll::Ready(());
            }
            let age = at.saturating_sub(since);
            tracing::warn!(?age, "terminate has not returned");
            let next = at.checked_add(age);
            self.timer = next.map(|next| Box::new(Timer::new(runtime, since, next)));
        }
        Poll::Pending
    }
}

impl Timer {
    fn new(runtime: &dyn Runtime, since: Duration, at: Duration) -> Self {
        Self { since, at, sleep: Sleep::until(runtime, at) }
    }
}
