//! What a scripted controller does, as data.

use super::time::{Turn, VirtualTime};
use crate::exec::{Call, ControllerError, Inspection};
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::future::{pending, poll_fn};
use core::task::Poll;
use core::time::Duration;

/// What one call does: how long it takes, and what it comes to.
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
    comes_to: ComesTo,
}

/// How long a call takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// So many polls before the one that is ready; it wakes itself.
    Polls(u32),
    /// So much virtual time.
    Time(Duration),
    Forever,
}

#[derive(Clone, Debug)]
pub(super) enum ComesTo {
    Answer(Result<Inspection, ControllerError>),
    Panic(Cow<'static, str>),
}

impl Behavior {
    /// Succeeds at once; an inspection says that there is nothing new.
    pub fn succeeds() -> Self {
        Self::tells(Inspection::default())
    }

    /// Succeeds at once; an inspection says this.
    pub fn tells(inspection: Inspection) -> Self {
        Self { takes: Takes::Polls(0), comes_to: ComesTo::Answer(Ok(inspection)) }
    }

    /// Fails at once; both parts of an inspection do.
    pub fn fails(error: impl Into<ControllerError>) -> Self {
        Self { takes: Takes::Polls(0), comes_to: ComesTo::Answer(Err(error.into())) }
    }

    /// Panics at once, with this text. The panic hook is not called, so that no test
    /// prints a backtrace of what was wanted.
    pub fn panics(text: impl Into<Cow<'static, str>>) -> Self {
        Self { takes: Takes::Polls(0), comes_to: ComesTo::Panic(text.into()) }
    }

    /// Never ends by itself.
    pub fn hangs() -> Self {
        Self { takes: Takes::Forever, ..Self::succeeds() }
    }

    /// The same after so much virtual time.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { takes: Takes::Time(time), ..self }
    }

    /// The same after so many polls more, between which it wakes itself.
    #[must_use]
    pub fn after_polls(self, polls: u32) -> Self {
        Self { takes: Takes::Polls(polls), ..self }
    }

    /// Ready when it has taken as long as it takes.
    pub(super) async fn pass(self, time: &VirtualTime) -> ComesTo {
        match self.takes {
            Takes::Polls(polls) => yield_times(polls).await,
            Takes::Time(takes) => {
                time.sleep_until(time.now().saturating_add(takes), Turn::Controller).await;
            }
            Takes::Forever => pending().await,
        }
        self.comes_to
    }
}

/// Ready after so many polls more.
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

/// What the first, the second, … call of each operation does; the last one that is
/// said repeats. Where nothing is said, an operation succeeds at once.
///
/// ```
/// use onward::ControllerError;
/// use onward::testing::{Behavior, Call, Script};
///
/// // Hard to prepare; then it runs until it is ended.
/// let busy = Behavior::fails(ControllerError::new("busy").temporary());
/// let script = Script::new()
///     .with(Call::Prepare, [busy.clone(), busy, Behavior::succeeds()])
///     .with(Call::Wait, [Behavior::hangs()]);
/// # _ = script;
/// ```
#[derive(Clone, Default, Debug)]
pub struct Script(BTreeMap<Call, Vec<Behavior>>);

impl Script {
    /// Succeeds at everything, at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this for one operation.
    #[must_use]
    pub fn with(mut self, call: Call, behaviors: impl IntoIterator<Item = Behavior>) -> Self {
        self.0.insert(call, behaviors.into_iter().collect());
        self
    }

    /// What the call of this number does, counted from 0.
    pub(super) fn behavior(&self, call: Call, number: usize) -> Behavior {
        let behaviors = self.0.get(&call).map_or(&[][..], Vec::as_slice);
        behaviors.get(number).or(behaviors.last()).cloned().unwrap_or_else(Behavior::succeeds)
    }
}
