//! `Script`: the behavior of a scripted controller, as data.

use super::time::{Turn, VirtualTime};
use crate::exec::{Call, ControllerError, Inspection};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::future::{pending, poll_fn};
use core::task::Poll;
use core::time::Duration;

/// The behavior of one call: how long it takes, and its result.
///
/// ```
/// use core::time::Duration;
/// use onward::ControllerError;
/// use onward::testing::Behavior;
///
/// let pulls = Behavior::succeeds().after(Duration::from_secs(90));
/// let exits = Behavior::fails(ControllerError::new("it failed").with_exit_code(3)).after_polls(2);
/// # _ = (pulls, exits);
/// ```
#[derive(Clone, Debug)]
pub struct Behavior {
    takes: Takes,
    outcome: Outcome,
}

/// How long a call takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// This many polls return `Pending`. Each wakes the future.
    Polls(u32),
    /// This much virtual time.
    Time(Duration),
    Forever,
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Answer(Result<Inspection, ControllerError>),
    Panic(Cow<'static, str>),
}

impl Behavior {
    /// Succeeds at once. An inspection reports no change.
    pub fn succeeds() -> Self {
        Self::returns(Inspection::default())
    }

    /// Succeeds at once. An inspection returns this value.
    pub fn returns(inspection: Inspection) -> Self {
        Self { takes: Takes::Polls(0), outcome: Outcome::Answer(Ok(inspection)) }
    }

    /// Fails at once. For an inspection, both parts fail.
    pub fn fails(error: impl Into<ControllerError>) -> Self {
        Self { takes: Takes::Polls(0), outcome: Outcome::Answer(Err(error.into())) }
    }

    /// Panics at once with this text. The panic hook is not called, so that an expected
    /// panic prints no backtrace.
    pub fn panics(text: impl Into<Cow<'static, str>>) -> Self {
        Self { takes: Takes::Polls(0), outcome: Outcome::Panic(text.into()) }
    }

    /// Never returns.
    pub fn hangs() -> Self {
        Self { takes: Takes::Forever, ..Self::succeeds() }
    }

    /// The same result after this much virtual time.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { takes: Takes::Time(time), ..self }
    }

    /// The same result after this many polls. Each wakes the future.
    #[must_use]
    pub fn after_polls(self, polls: u32) -> Self {
        Self { takes: Takes::Polls(polls), ..self }
    }

    /// Waits as long as the call takes, and returns its result.
    pub(super) async fn run(self, time: &VirtualTime) -> Outcome {
        match self.takes {
            Takes::Polls(polls) => yield_times(polls).await,
            Takes::Time(takes) => {
                time.sleep_until(time.now().saturating_add(takes), Turn::Controller).await;
            }
            Takes::Forever => pending().await,
        }
        self.outcome
    }
}

/// Returns `Pending` for this many polls. Each wakes the future.
async fn yield_times(mut left: u32) {
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The behavior of each call of a [`ScriptedController`](super::ScriptedController).
///
/// Each operation has a list of behaviors: for its first call, its second, and so on. The
/// last behavior of the list repeats. An operation without a list succeeds at once.
///
/// ```
/// use onward::ControllerError;
/// use onward::testing::{Behavior, Call, Script};
///
/// // `prepare` fails twice; then the workload runs until it is stopped.
/// let busy = Behavior::fails(ControllerError::new("busy").temporary());
/// let script = Script::new()
///     .with(Call::Prepare, [busy.clone(), busy, Behavior::succeeds()])
///     .with(Call::Wait, [Behavior::hangs()]);
/// # _ = script;
/// ```
#[derive(Clone, Default, Debug)]
pub struct Script(BTreeMap<Call, Vec<Behavior>>);

impl Script {
    /// All operations succeed at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the behaviors of one operation.
    #[must_use]
    pub fn with(mut self, call: Call, behaviors: impl IntoIterator<Item = Behavior>) -> Self {
        self.0.insert(call, behaviors.into_iter().collect());
        self
    }

    /// The behavior of the call with this number, counted from 0.
    pub(super) fn behavior(&self, call: Call, number: usize) -> Behavior {
        let behaviors = self.0.get(&call).map_or(&[][..], Vec::as_slice);
        behaviors.get(number).or(behaviors.last()).cloned().unwrap_or_else(Behavior::succeeds)
    }
}
