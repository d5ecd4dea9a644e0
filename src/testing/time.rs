//! Virtual time: it jumps from one event to the next.

use crate::exec::WallClock;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::UtcDateTime;

/// Time that stands still until it is told to go on, and then jumps to the next
/// event.
///
/// Events at the same moment come one at a time, in [turns](Turn).
///
/// ```
/// use core::time::Duration;
/// use onward::testing::{Turn, VirtualTime};
///
/// let time = VirtualTime::new();
/// let minute = time.sleep_until(Duration::from_secs(60), Turn::Timer);
/// # let mut minute = core::pin::pin!(minute);
/// # let mut context = core::task::Context::from_waker(core::task::Waker::noop());
/// # use core::future::Future;
/// assert!(minute.as_mut().poll(&mut context).is_pending());
/// assert_eq!(time.next(), Some((Duration::from_secs(60), Turn::Timer)));
/// assert!(time.advance());
/// assert!(minute.as_mut().poll(&mut context).is_ready());
/// ```
#[derive(Clone, Default, Debug)]
pub struct VirtualTime(Arc<Mutex<Events>>);

#[derive(Default, Debug)]
struct Events {
    now: Duration,
    count: u64,
    waiting: BTreeMap<Event, Waker>,
}

/// When an event is, in which turn, and which of several it is.
type Event = (Duration, Turn, u64);

/// Whose turn it is at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Turn {
    /// First, what a controller does.
    Controller,
    /// Then, what a script says.
    Script,
    /// Last, what a timer was set for.
    Timer,
}

impl VirtualTime {
    /// Time at its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much time has passed.
    pub fn now(&self) -> Duration {
        self.lock().now
    }

    /// A clock that tells `start` plus this time.
    pub fn clock(&self, start: UtcDateTime) -> VirtualClock {
        VirtualClock { time: self.clone(), start }
    }

    /// Ready at a moment, in a turn; never before time has been told to go on.
    pub fn sleep_until(&self, moment: Duration, turn: Turn) -> VirtualSleep {
        VirtualSleep { time: self.clone(), moment, turn, event: None }
    }

    /// When the next event is, and whose turn.
    pub fn next(&self) -> Option<(Duration, Turn)> {
        self.lock().waiting.keys().next().map(|(moment, turn, _)| (*moment, *turn))
    }

    /// Goes on to the next event; says whether there was one.
    pub fn advance(&self) -> bool {
        let mut events = self.lock();
        let Some(((moment, _, _), waker)) = events.waiting.pop_first() else { return false };
        events.now = events.now.max(moment);
        drop(events);
        waker.wake();
        true
    }

    /// Goes on to a moment at which there is no event.
    pub fn advance_to(&self, moment: Duration) {
        let mut events = self.lock();
        events.now = events.now.max(moment);
    }

    fn lock(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock of [`VirtualTime`].
#[derive(Clone, Debug)]
pub struct VirtualClock {
    time: VirtualTime,
    start: UtcDateTime,
}

impl WallClock for VirtualClock {
    fn now(&self) -> UtcDateTime {
        let passed = time::Duration::try_from(self.time.now()).unwrap_or(time::Duration::MAX);
        self.start.saturating_add(passed)
    }
}

/// See [`VirtualTime::sleep_until`].
#[derive(Debug)]
#[must_use = "a sleep does nothing until it is awaited"]
pub struct VirtualSleep {
    time: VirtualTime,
    moment: Duration,
    turn: Turn,
    event: Option<Event>,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        // A waker is foreign code: it is cloned and dropped outside of the lock.
        let waker = context.waker().clone();
        let mut events = time.lock();
        let event = match self.event {
            // It has come, and been taken out.
            Some(event) if !events.waiting.contains_key(&event) => return Poll::Ready(()),
            Some(event) => event,
            None => {
                events.count += 1;
                (self.moment.max(events.now), self.turn, events.count)
            }
        };
        let before = events.waiting.insert(event, waker);
        drop(events);
        drop(before);
        self.event = Some(event);
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        if let Some(event) = &self.event {
            let waker = self.time.lock().waiting.remove(event);
            drop(waker);
        }
    }
}
