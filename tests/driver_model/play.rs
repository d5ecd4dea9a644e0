//! One trace: a random life of a task. The driver is polled, dropped and resumed at random.

use super::choices::Choices;
use super::controller::WildExecutor;
use super::event::Event;
use super::model::Model;
use super::record::Record;
use super::watch::Watches;
use super::world::World;
use onward::agent::policy::Backoff;
use onward::agent::{Driver, DriverExit, Policy};
use onward::exec::Assignment;
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::VirtualTime;
use std::hash::Hasher;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use time::UtcDateTime;

/// The result of a trace.
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
    let task = AnyTask::resume(status(&mut choices, start));
    let record = Record::new(start, task.status());
    let may_run = choices.once_in(4);
    let model = Model::new(policy.clone(), record, desired, may_run);
    let world = World::new(choices, model, time, shown);

    let assignment = Assignment::new("t", 1).with_desired_state(desired);
    let (executor, runtime) = (WildExecutor(world.clone()), Arc::new(world.clone()));
    let mut driver = Driver::new(task, assignment, executor, runtime)
        .with_policy(policy)
        .with_sink(world.clone());
    if may_run {
        driver = driver.with_possible_workload();
    }
    world.lock().handle = Some(driver.handle());
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
    let mut policy = Policy::default();
    (policy.prepare_deadline, policy.start_deadline) = (limit(), limit());
    (policy.inspect_deadline, policy.shutdown_grace) = (limit(), limit());
    (policy.controller_deadline, policy.update_deadline) = (limit(), limit());
    policy.remove_deadline = limit();
    policy.shutdown_before_removal = choices.once_in(2);
    let initial = ms(choices.pick(&[10, 1, 7, 0]));
    let max = ms(choices.pick(&[1000, 15, 5, 0]));
    let factor = choices.pick(&[2.0, 1.0, 1.5]);
    let backoff = Backoff::new(initial, max).with_factor(factor).unwrap();
    policy.with_backoff(backoff.with_jitter(choices.pick(&[0.0, 0.0, 0.5, 1.0])).unwrap())
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

type Driven = Driver<WildExecutor>;

fn live(world: &World, mut driver: Driven) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut watches = Watches::default();
    let mut steps = 48;
    while steps > 0 && world.lock().broken.is_none() {
        // Requests can also come between two runs.
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
                // Time passes, whether or not the driver was polled.
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

/// Runs the driver until it waits for a request, and drops it.
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
    run: Pin<&mut impl Future<Output = DriverExit>>,
    waker: &Waker,
    woken: &Woken,
) -> bool {
    woken.take();
    world.lock().yielded = false;
    world.tell(&Event::Poll);
    let poll = run.poll(&mut Context::from_waker(waker));
    if let Poll::Ready(ended) = &poll {
        world.tell(&Event::Ended(match ended {
            DriverExit::Removed => "removed".into(),
            DriverExit::RemovalFailed { error } => format!("left: {error}"),
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

/// An event outside of the driver.
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
