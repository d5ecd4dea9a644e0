//! The world around a driver: its runtime, its sink, and its handles. Each event goes through
//! [`World::tell`], where the model sees it.

use super::choices::Choices;
use super::event::{Event, Op};
use super::model::{Goal, Model, Verdict};
use futures::future::BoxFuture;
use onward::agent::runtime::SpawnError;
use onward::agent::{DriverHandle, Runtime, StatusSink};
use onward::exec::Assignment;
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::{Turn, VirtualSleep, VirtualTime};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use time::UtcDateTime;

#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    pub(crate) choices: Choices,
    pub(crate) model: Model,
    pub(crate) time: VirtualTime,
    pub(crate) handle: Option<DriverHandle<u64>>,
    /// Only for a trace that is printed.
    pub(crate) log: Option<Vec<String>>,
    pub(crate) hash: DefaultHasher,
    pub(crate) events: u32,
    pub(crate) broken: Option<String>,
    /// The controller has woken the driver.
    pub(crate) yielded: bool,
    /// The time for which the driver's timer is set.
    pub(crate) sleeps: Vec<Duration>,
    /// The guard of the controller: one operation at a time.
    pub(crate) flight: Option<Op>,
}

impl World {
    pub(crate) fn new(choices: Choices, model: Model, time: VirtualTime, shown: bool) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            choices,
            model,
            time,
            handle: None,
            log: shown.then(Vec::new),
            hash: DefaultHasher::new(),
            events: 0,
            broken: None,
            yielded: false,
            sleeps: Vec::new(),
            flight: None,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: &Event) {
        let inner = &mut *self.lock();
        let now = inner.time.now();
        if event.counts() {
            inner.events += 1;
            (now, event).hash(&mut inner.hash);
        }
        if let Some(log) = &mut inner.log {
            log.push(format!("{:>6} {event:?}", now.as_millis()));
        }
        if inner.broken.is_none() {
            inner.broken = inner.model.check(now, event).err();
        }
    }

    pub(crate) fn complain(&self, verdict: Verdict) {
        let inner = &mut *self.lock();
        if inner.broken.is_none() {
            inner.broken = verdict.err();
        }
    }

    /// Sometimes the handle is used inside a poll of the driver: by the controller, the timer or
    /// the sink.
    pub(crate) fn interfere(&self, once_in: u32) {
        if self.lock().choices.once_in(once_in) {
            self.act();
        }
    }

    /// A random request.
    pub(crate) fn act(&self) {
        let (handle, what, update) = {
            let inner = &mut *self.lock();
            let Some(handle) = inner.handle.clone() else { return };
            // Most lives should be long.
            let what = inner.choices.draw(24);
            (handle, what, inner.draw_update())
        };
        match what {
            22 => {
                handle.remove();
                self.tell(&Event::Remove);
            }
            23 => {
                handle.close();
                self.tell(&Event::Close);
            }
            _ => {
                let (id, desired, version) = update;
                let assignment = Assignment::new(id, version).with_desired_state(desired);
                let answer = handle.update(assignment);
                self.tell(&Event::Update { id, desired, version, answer });
            }
        }
    }

    /// Checks that the driver was woken if a poll would change anything.
    pub(crate) fn check_woken(&self, woken: bool) {
        let inner = &mut *self.lock();
        let next = inner.model.next();
        let waits = matches!(next, super::model::Next::Rest(_));
        if !waits && !woken && inner.broken.is_none() {
            inner.broken = Some(format!("not woken, with something to do: {next:?}"));
        }
    }
}

impl Inner {
    fn draw_update(&mut self) -> (&'static str, TaskState, u64) {
        use TaskState::{Accepted, Complete, Ready, Remove, Running, Shutdown};
        let Self { choices, model, .. } = self;
        let desired = match choices.draw(16) {
            0..6 => model.desired,
            6..9 => model.desired.max(Running),
            9..11 => model.desired.max(Ready),
            11 => model.desired.max(Complete),
            12 => Accepted,
            13 | 14 => model.desired.max(Shutdown),
            _ => Remove,
        };
        let version = match choices.draw(6) {
            0..3 => model.version,
            3 => model.version.saturating_sub(1).max(1),
            _ => model.version + 1,
        };
        (if choices.once_in(12) { "other" } else { "t" }, desired, version)
    }

    /// Whether the controller may still be called.
    pub(crate) fn is_closed(&self) -> bool {
        self.model.goal == Goal::Closed
    }
}

impl StatusSink for World {
    fn changed(&self, id: &str, status: TaskStatus) {
        assert_eq!(id, "t");
        self.tell(&Event::Status(status));
        self.interfere(24);
    }
}

impl Runtime for World {
    fn now(&self) -> Duration {
        self.lock().time.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        let inner = self.lock().time.sleep_until(moment, Turn::Timer);
        Box::pin(Sleep { inner, world: self.clone(), moment, set: false })
    }

    fn spawn(&self, _: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        Err(SpawnError::new("a driver spawns nothing"))
    }

    fn utc_now(&self) -> UtcDateTime {
        let inner = self.lock();
        inner.model.record.wall(inner.time.now())
    }
}

struct Sleep {
    inner: VirtualSleep,
    world: World,
    moment: Duration,
    set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.world.interfere(48);
        let poll = Pin::new(&mut self.inner).poll(context);
        if poll.is_pending() && !self.set {
            self.set = true;
            let moment = self.moment;
            self.world.lock().sleeps.push(moment);
        }
        if poll.is_ready() {
            self.unset();
            self.world.tell(&Event::Fired(self.moment));
        }
        poll
    }
}

impl Sleep {
    fn unset(&mut self) {
        if std::mem::take(&mut self.set) {
            let sleeps = &mut self.world.lock().sleeps;
            let at = sleeps.iter().position(|moment| *moment == self.moment).unwrap();
            sleeps.remove(at);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.unset();
    }
}
