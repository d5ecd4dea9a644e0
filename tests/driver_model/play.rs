//! One trace: a random world, polled, stopped and taken up again at random.

use super::choices::Choices;
use super::controller::Wild;
use super::event::Event;
use super::model::Model;
use super::record::Record;
use super::watch::Watches;
use super::world::World;
use onward::agent::{Driver, Ended, Policy, Surroundings};
use onward::exec::Assignment;
use onward::lifecycle::{AnyTask, Event as Moved, TaskState, TaskStatus};
use onward::testing::VirtualTime;
use std::hash::Hasher;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use time::UtcDateTime;

/// What came of a trace.
pub(crate) struct Played {
    pub(crate) drawn: Vec<u32>,
    pub(crate) log: Vec<String>,
    pub(crate) hash: u64,
    pub(crate) events: u32,
    pub(crate) broken: Option<String>,
}

#[derive(Default)]
pub(crate) struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Woken {
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) fn play(mut choices: Choices, shown: bool) -> Played {
    let time = VirtualTime::new();
    let start = UtcDateTime::UNIX_EPOCH + time::Duration::days(10_957);
    let clock = time.clock(start);
    let policy = policy(&mut choices);
    let desired = choices.pick(&[
        TaskState::Running,
        TaskState::Running,
        TaskState::Running,
        TaskState::Ready,
        TaskState::Complete,
        TaskState::Accepted,
        TaskState::Shutdown,
    ]);
    let mut task = AnyTask::resume(status(&mut choices, start));
    // As `resolve` leaves it.
    let resolved = task.state() < TaskState::Accepted;
    if resolved {
        task.advance(Moved::Accepted, start).unwrap();
    }
    let record = Record::new(start, task.status(), resolved);
    let model = Model::new(policy.clone(), record, desired);
    let world = World::new(choices, model, time, shown);

    let assignment = Assignment::new("t", 1).with_desired_state(desired);
    let surroundings = Surroundings::new(world.clone(), clock, world.clone()).with_policy(policy);
    let controller = Wild(world.clone());
    let (driver, handle) = Driver::new(task, assignment, controller, surroundings.unwrap());
    world.lock().handle = Some(handle);
    live(&world, driver);

    world.lock().handle = None;
    let inner = &mut *world.lock();
    Played {
        drawn: std::mem::replace(&mut inner.choices, Choices::again(&[])).into_drawn(),
        log: inner.log.take().unwrap_or_default(),
        hash: inner.hash.finish(),
        events: inner.events,
        broken: inner.broken.take(),
    }
}

fn policy(choices: &mut Choices) -> Policy {
    let ms = |ms: u64| Duration::from_millis(ms);
    let mut limit = || choices.pick(&[None, None, Some(20), Some(50), Some(5), Some(0)]).map(ms);
    let (prepare, start, inspect) = (limit(), limit(), limit());
    let mut policy = Policy::default().with_shutdown_grace(limit());
    (policy.prepare_deadline, policy.start_deadline) = (prepare, start);
    policy.inspect_deadline = inspect;
    let initial = ms(choices.pick(&[10, 1, 7, 0]));
    let max = ms(choices.pick(&[1000, 15, 5, 0]));
    let factor = choices.pick(&[2.0, 1.0, 1.5]);
    policy.with_retry(initial, max, factor).with_jitter(choices.pick(&[0.0, 0.0, 0.5, 1.0]))
}

fn status(choices: &mut Choices, start: UtcDateTime) -> TaskStatus {
    use TaskState::{Accepted, Assigned, Failed, New, Preparing, Ready, Running, Starting};
    let mut status = TaskStatus::new(choices.pick(&[
        Assigned, Assigned, Assigned, Accepted, Preparing, Ready, Starting, Running, New, Failed,
    ]));
    if choices.once_in(3) {
        status.timestamp = Some(start - Duration::from_secs(5));
        status.container_status = Some(super::event::container(4));
        status.port_status = super::event::ports(443);
    }
    status
}

type Driven = Driver<Wild, World, onward::testing::VirtualClock, World>;

fn live(world: &World, mut driver: Driven) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut watches = Watches::default();
    let mut steps = 48;
    while steps > 0 && world.lock().broken.is_none() {
        // Between two runs anything may happen, too.
        while steps > 0 && world.lock().choices.once_in(4) {
            beside(world, &mut watches);
            steps -= 1;
        }
        woken.wake_by_ref();
        let mut run = Box::pin(driver.run());
        while steps > 0 && world.lock().broken.is_none() {
            steps -= 1;
            let what = world.lock().choices.draw(40);
            let ended = match what {
                0..16 if woken.take() => poll(world, run.as_mut(), &waker, &woken),
                // Time goes on, whether or not the driver was polled.
                0..28 => {
                    let time = world.lock().time.clone();
                    if !time.advance() && what < 16 {
                        beside(world, &mut watches);
                    }
                    false
                }
                28..36 => {
                    beside(world, &mut watches);
                    false
                }
                36..38 => poll(world, run.as_mut(), &waker, &woken),
                _ => break,
            };
            watches.check_woken(world);
            if ended {
                steps = steps.min(4);
                break;
            }
            world.check_woken(woken.is());
        }
        world.lock().model.stopping = true;
        drop(run);
        world.tell(&Event::Stopped);
        check_snapshot(world);
    }
    settle(world, driver, &mut watches, &woken);
}

/// Lets the driver go on until it waits for nothing but news, and drops it.
fn settle(world: &World, mut driver: Driven, watches: &mut Watches, woken: &Arc<Woken>) {
    let waker = Waker::from(woken.clone());
    let mut run = Box::pin(driver.run());
    woken.wake_by_ref();
    for _ in 0..60 {
        if world.lock().broken.is_some() {
            break;
        }
        if woken.take() {
            if poll(world, run.as_mut(), &waker, woken) {
                break;
            }
            world.check_woken(woken.is());
        } else if !world.lock().time.clone().advance() {
            break;
        }
    }
    world.lock().model.stopping = true;
    drop(run);
    world.tell(&Event::Stopped);
    drop(driver);
    world.tell(&Event::Gone);
    watches.check_woken(world);
    watches.end(world);
    check_snapshot(world);
}

fn poll(
    world: &World,
    run: Pin<&mut impl Future<Output = Ended>>,
    waker: &Waker,
    woken: &Woken,
) -> bool {
    woken.take();
    world.lock().yielded = false;
    world.tell(&Event::Poll);
    let poll = run.poll(&mut Context::from_waker(waker));
    if let Poll::Ready(ended) = &poll {
        world.tell(&Event::Ended(match ended {
            Ended::Removed => "removed".into(),
            Ended::Left(error) => format!("left: {error:#}"),
            ended => format!("{ended:?}"),
        }));
    } else {
        let (sleeps, reason) = {
            let inner = world.lock();
            (inner.sleeps.clone(), inner.yielded || inner.model.told)
        };
        // No busy loop in any state.
        if woken.is() && !reason {
            world.complain(Err("the driver woke itself".into()));
        }
        world.tell(&Event::Pending { sleeps, woken: woken.is() });
    }
    check_snapshot(world);
    poll.is_ready()
}

/// Something that is not the driver's doing.
fn beside(world: &World, watches: &mut Watches) {
    let what = world.lock().choices.draw(8);
    match what {
        0..4 => world.act(),
        4 => watches.open(world),
        5 => watches.close(),
        6 => watches.poll(world),
        _ => {
            let handle = world.lock().handle.clone();
            world.lock().handle = handle;
        }
    }
    check_snapshot(world);
}

/// The snapshot agrees with the trace.
fn check_snapshot(world: &World) {
    let Some(handle) = world.lock().handle.clone() else { return };
    let snapshot = handle.snapshot();
    let verdict = super::watch::compare(&mut world.lock().model, &snapshot);
    world.complain(verdict);
}
