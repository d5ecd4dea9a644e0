//! A call in flight, against all that may end it.

use super::core::Call;
use super::shared::{Shared, Subject};
use crate::agent::panic::{Panic, drop_caught, poll_caught};
use crate::agent::runtime::Runtime;
use crate::lifecycle::Operation;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use futures::future::BoxFuture;

/// Awaits a call that may be interrupted, take too long, or panic.
///
/// A macro: a function would take the future by value, and so store it twice.
macro_rules! race {
    ($race:ident, $call:expr) => {{
        // Called inside of it, where a panic is caught.
        let mut call = ::core::pin::pin!(Some(async { $call.await }));
        ::core::future::poll_fn(|context| $race.poll(call.as_mut(), context)).await
    }};
}
pub(super) use race;

/// How a call has ended.
pub(super) enum Outcome<T> {
    /// It has returned.
    Answer(T),
    /// It has panicked.
    Panicked(Panic),
    /// It was dropped: something else is wanted, or it took too long.
    Dropped,
    /// It was to be dropped, and panicked in that.
    DropPanicked(Panic),
}

/// When the first reminder of a `terminate` that hangs is logged. The next ones come at twice
/// the age each.
const REMINDER: Duration = Duration::from_secs(30);

/// A call in flight.
pub(super) struct Race<'a, D> {
    shared: &'a Shared<D>,
    runtime: &'a dyn Runtime,
    call: Call,
    began: Duration,
    /// When the call has taken too long.
    limit: Option<Duration>,
    /// Whether the call was not ready once. Most are at once, and then no sleep is made.
    is_slow: bool,
    /// The sleep until the limit.
    deadline: Option<Sleep>,
    /// When the next reminder is logged, and since when the call lasts.
    reminder: Option<(Sleep, Duration)>,
}

/// A moment, and the sleep until then. Boxed: most calls have none.
type Sleep = (Duration, BoxFuture<'static, ()>);

impl<'a, D> Race<'a, D> {
    pub(super) fn new(
        shared: &'a Shared<D>,
        runtime: &'a dyn Runtime,
        call: Call,
        subject: &Subject<D>,
    ) -> Self {
        let Subject { began, deadline: limit, .. } = *subject;
        Self { shared, runtime, call, began, limit, is_slow: false, deadline: None, reminder: None }
    }

    /// What the call returns comes first, then what else is wanted, then the deadline.
    pub(super) fn poll<F: Future>(
        &mut self,
        mut call: Pin<&mut Option<F>>,
        context: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        let Some(future) = call.as_mut().as_pin_mut() else { return Poll::Pending };
        if let Poll::Ready(answer) = poll_caught(future, context) {
            if let Err(panic) = drop_caught(call) {
                tracing::error!(task.id = &*self.shared.id, %panic, "operation panicked when dropped");
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

    /// Ready when the call has taken too long.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self { shared, runtime, call, began, .. } = *self;
        if !mem::replace(&mut self.is_slow, true) {
            self.deadline = self.limit.map(|at| (at, runtime.sleep_until(at)));
            if call == Call::Operate(Operation::Terminate) {
                self.reminder = self.remind_at(began, REMINDER);
            }
        }
        self.poll_reminder(context);
        let Some((at, sleep)) = &mut self.deadline else { return Poll::Pending };
        ready!(sleep.as_mut().poll(context));
        shared.with(|state| state.core.woke(*at));
        Poll::Ready(())
    }

    fn remind_at(&self, since: Duration, age: Duration) -> Option<(Sleep, Duration)> {
        let at = since.checked_add(age)?;
        Some(((at, self.runtime.sleep_until(at)), since))
    }

    /// Logs how long a `terminate` has lasted.
    fn poll_reminder(&mut self, context: &mut Context<'_>) {
        while let Some(((at, sleep), since)) = &mut self.reminder {
            if sleep.as_mut().poll(context).is_pending() {
                return;
            }
            let (age, since) = (at.saturating_sub(*since), *since);
            tracing::warn!(?age, "terminate has not returned");
            self.reminder = age.checked_mul(2).and_then(|age| self.remind_at(since, age));
        }
    }
}
