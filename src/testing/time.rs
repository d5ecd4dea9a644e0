//! `VirtualTime`: a clock and timers that a test advances.

use crate::exec::WallClock;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::UtcDateTime;

/// Virtual time, which a test advances.
///
/// It stands still until you advance it, and then jumps to the next event. Events at
/// the same time happen one by one, in the order of their [`Turn`].
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

/// The time of an event, its turn, and its number.
type Event = (Duration, Turn, u64);

/// The order of events at the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Turn {
    /// First: the end of a controller's operation.
    Controller,
    /// Second: a step of a test script.
    Script,
    /// Last: a timer.
    Timer,
}

impl VirtualTime {
    /// Virtual time at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The virtual time that has passed.
    pub fn now(&self) -> Duration {
        self.lock().now
    }

    /// A wall clock that returns `start` plus the virtual time.
    pub fn clock(&self, start: UtcDateTime) -> VirtualClock {
        VirtualClock { time: self.clone(), start }
    }

    /// Waits until `moment`, in this turn. It returns only after time was advanced.
    pub fn sleep_until(&self, moment: Duration, turn: Turn) -> VirtualSleep {
        VirtualSleep { time: self.clone(), moment, turn, event: None }
    }

    /// The time and the turn of the next event.
    pub fn next(&self) -> Option<(Duration, Turn)> {
        self.lock().waiting.keys().next().map(|(moment, turn, _)| (*moment, *turn))
    }

    /// Advances to the next event. Returns whether there was one.
    pub fn advance(&self) -> bool {
        let mut events = self.lock();
        let Some(((moment, _, _), waker)) = events.waiting.pop_first() else { return false };
        events.now = events.now.max(moment);
        drop(events);
        waker.wake();
        true
    }

    /// Advances to a time at which there is no event.
    pub fn advance_to(&self, moment: Duration) {
        let mut events = self.lock();
        events.now = events.now.max(moment);
    }

    fn lock(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wall clock that follows a [`VirtualTime`].
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

/// The future that [`VirtualTime::sleep_until`] returns.
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
        // A waker is foreign code, so it is cloned and dropped outside of the lock.
        let waker = context.waker().clone();
        let mut events = time.lock();
        let event = match self.event {
            // The event has happened and was removed.
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
