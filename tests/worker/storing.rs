//! The order of commits, and stores that fail or hang.

use super::agent::{Agent, open, stopped, task};
use super::world::{Script, Slow, Told, Trouble, World};
use futures::future::join;
use onward::agent::policy::Backoff;
use onward::agent::store::{StoreCall, StoreChange, StoreError, StoreFault, TaskRecord};
use onward::agent::{Policy, Runtime, Store};
use onward::exec::{Assignment, ControllerError};
use onward::lifecycle::TaskState;
use onward::testing::VirtualPool;
use std::error::Error;
use std::iter::successors;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const NOTHING: StoreFault = StoreFault::Fails { written: 0 };

/// The label of the stored applied definition.
fn applied(agent: &Agent) -> Option<u32> {
    agent.world.stored("t").unwrap().record.applied.as_ref().map(|applied| applied.definition.label)
}

#[test]
fn a_message_that_was_not_stored_has_no_effect_and_can_be_sent_again() {
    let agent = Agent::new();
    agent.world.store.set_faults(|_| Some(NOTHING));
    let error = agent.try_assign(vec![task("t", Script::service())]).unwrap_err();
    assert_eq!(error.to_string(), "the assignment was not stored: a planted fault");
    agent.run(100);
    assert_eq!((agent.state("t"), agent.world.calls("t")), (None, vec![]));
    agent.world.store.set_faults(|_| None);
    agent.assign(vec![task("t", Script::service())]);
    agent.run(100);
    assert_eq!(agent.state("t"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn a_message_that_was_stored_and_not_confirmed_can_be_sent_again() {
    let agent = Agent::new();
    agent.world.store.set_faults(|_| Some(StoreFault::Fails { written: usize::MAX }));
    agent.try_assign(vec![task("t", Script::service())]).unwrap_err();
    agent.world.store.set_faults(|_| None);
    agent.assign(vec![task("t", Script::service())]);
    agent.run(100);
    assert_eq!(agent.state("t"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn a_status_waits_until_it_is_durable_and_its_task_does_not() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3)), task("web", Script::service())]);
    agent.world.store.set_faults(|_| Some(NOTHING));
    agent.run(10_000);
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.told.all().len(), 0);
    assert_eq!(agent.world.stored("job").unwrap().status, None);
    agent.world.store.set_faults(|_| None);
    agent.run(30_000);
    assert_eq!(agent.told.states("job"), [TaskState::Failed]);
    assert_eq!(agent.told.states("web"), [TaskState::Running]);
    agent.check();
}

#[test]
fn a_handle_shows_since_when_the_oldest_status_waits_to_be_stored() {
    for fault in [NOTHING, StoreFault::Hangs { written: 0 }] {
        let agent = Agent::new();
        agent.assign(vec![task("job", Script::job(50, 3))]);
        assert_eq!(agent.handle.unstored_since(), None);
        agent.world.store.set_faults(move |_| Some(fault));
        let first = agent.world.time.now();
        for _ in 0..3 {
            agent.run(5_000);
            assert_eq!(agent.handle.unstored_since(), Some(first), "{fault:?}");
        }
        assert_eq!(agent.state("job"), Some(TaskState::Failed));
        agent.world.store.set_faults(|_| None);
        if fault == NOTHING {
            agent.run(30_000);
            assert_eq!(agent.handle.unstored_since(), None);
            agent.check();
        }
    }
}

#[test]
fn a_failed_commit_is_retried_with_back_off() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 0))]);
    let commits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&commits);
    agent.world.store.set_faults(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Some(NOTHING)
    });
    agent.run(60_000);
    // After 1, 2, 4, 8, 16, 30 s, each longer or shorter by up to 10 %.
    assert!((6..=7).contains(&commits.load(Ordering::Relaxed)), "{commits:?}");
    agent.world.store.set_faults(|_| None);
    agent.run(60_000);
    let commits = agent.world.count_commits(|_| true);
    agent.run(60_000);
    assert_eq!(commits.load(Ordering::Relaxed), 0);
    agent.check();
}

#[test]
fn a_store_that_hangs_delays_no_task() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3)), task("web", Script::service())]);
    agent.world.store.set_faults(|_| Some(StoreFault::Hangs { written: 0 }));
    agent.run(10_000);
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.state("web"), Some(TaskState::Running));
    assert_eq!(agent.told.all().len(), 0);
}

#[test]
fn many_statuses_share_one_flush() {
    let world = World::new();
    let agent = Agent::with_store(&world, Slow(world.clone()), &Told::default(), 1);
    let commits = agent.world.count_commits(|change| matches!(change, StoreChange::Status { .. }));
    agent.assign((0..1_000).map(|id| task(&id.to_string(), Script::service())).collect());
    agent.run(1_000);
    assert_eq!(agent.told.last().len(), 1_000);
    let commits = commits.load(Ordering::Relaxed);
    assert!(commits <= 5, "{commits} commits for 1,000 lives");
    agent.check();
}

#[test]
fn many_statuses_do_not_delay_an_assignment_and_many_assignments_do_not_delay_a_status() {
    let world = World::new();
    let agent = Agent::with_store(&world, Slow(world.clone()), &Told::default(), 1);
    // Its `prepare` fails every millisecond, so it has a new status each time.
    let restless = || {
        let millisecond = Duration::from_millis(1);
        let backoff = Backoff::new(millisecond, millisecond).with_jitter(0.0).unwrap();
        let policy = Policy::default().with_backoff(backoff);
        task("restless", Script { tries: u32::MAX, ..Script::service() }).with_policy(policy)
    };
    agent.assign(vec![restless()]);
    agent.run(100);
    agent.assign(vec![restless(), task("web", Script::service())]);
    agent.run(100);
    assert_eq!(agent.told.states("web").last(), Some(&TaskState::Running));
    // Each of these needs another commit.
    let assigns = async {
        for number in 0..40 {
            let tasks = [
                restless(),
                task("web", Script::service()),
                task("job", Script::job(1, 3)),
                task(&number.to_string(), Script::service()),
            ];
            assert_eq!(agent.handle.assign(tasks).await.unwrap(), []);
        }
    };
    agent.pool.run_until(assigns).unwrap();
    assert_eq!(agent.told.states("job").last(), Some(&TaskState::Failed));
    agent.check();
}

#[test]
fn a_run_that_was_dropped_in_a_commit_repeats_the_commit() {
    let (world, told) = (World::new(), Told::default());
    let pool = VirtualPool::new(world.time.clone(), 1);
    let (mut worker, handle) = open(&world, world.store.clone(), &told, &pool).unwrap();
    world.store.set_faults(|_| Some(StoreFault::Hangs { written: usize::MAX }));
    let mut assign = Box::pin(handle.assign(vec![task("t", Script::job(10, 0))]));
    {
        let mut run = Box::pin(worker.run());
        assert!(pool.run_until(join(&mut run, &mut assign)).is_none());
    }
    world.store.set_faults(|_| None);
    pool.spawn(Box::pin(async move { worker.run().await })).unwrap();
    assert_eq!(pool.run_until(assign).unwrap().unwrap(), []);
    pool.run();
    assert_eq!(world.stored("t").unwrap().status.unwrap().state, TaskState::Complete);
    assert_eq!(world.calls("t"), ["prepare", "start", "wait"]);
}

#[test]
fn every_stored_task_continues_from_its_status() {
    let agent = Agent::new();
    agent.assign(vec![
        task("done", Script::job(10, 4)),
        task("web", Script::service()),
        stopped("off", Script::service()),
    ]);
    agent.run(1_000);
    // A task without a status.
    let record = TaskRecord::new(Assignment::new("new", Script::service()));
    let change = [StoreChange::Record(record.into())];
    futures::executor::block_on(agent.world.store.commit(&change)).unwrap();
    let agent = agent.restart();
    agent.run(1_000);
    let states = ["done", "new", "off", "web"].map(|id| agent.state(id).unwrap());
    assert_eq!(
        states,
        [TaskState::Failed, TaskState::Running, TaskState::Shutdown, TaskState::Running]
    );
    assert_eq!(agent.world.calls("web"), ["prepare", "start", "wait", "wait"]);
    assert_eq!(agent.world.calls("done"), ["prepare", "start", "wait"]);
    agent.check();
}

#[test]
fn a_definition_that_was_not_accepted_before_a_crash_is_offered_after_it() {
    let labelled = |label| task("t", Script { label, ..Script::service() });
    let agent = Agent::new();
    agent.assign(vec![labelled(0)]);
    agent.run(100);
    // It is stored, and nothing else happens.
    agent.world.store.set_faults(|_| Some(StoreFault::Hangs { written: usize::MAX }));
    let assign = agent.handle.assign(vec![labelled(1)]);
    assert!(agent.pool.run_until(assign).is_none());
    agent.world.store.set_faults(|_| None);
    let agent = agent.restart();
    agent.run(100);
    assert_eq!(agent.world.lock().workloads["t"].label, 1);
    assert_eq!(applied(&agent), Some(1));
    agent.check();
}

#[test]
fn an_accepted_definition_does_not_mark_the_next_one_as_accepted() {
    let labelled = |label| task("t", Script { label, ..Script::service() });
    let agent = Agent::new();
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    // The acceptance of the second definition is not stored when the third comes.
    agent.world.store.set_faults(|call| match call {
        StoreCall::Commit([StoreChange::Record(record)])
            if record.applied.as_ref().is_some_and(|applied| applied.definition.label == 2) =>
        {
            Some(NOTHING)
        }
        _ => None,
    });
    agent.assign(vec![labelled(2)]);
    agent.run(100);
    agent.world.lock().trouble = Some(Trouble::UpdateHangs);
    agent.assign(vec![labelled(3)]);
    agent.world.store.set_faults(|_| None);
    agent.run(10_000);
    assert_eq!(applied(&agent), Some(2));
    agent.world.lock().trouble = None;
    let agent = agent.restart();
    agent.run(100);
    assert_eq!(agent.world.lock().workloads["t"].label, 3);
    agent.check();
}

#[test]
fn a_refused_definition_is_stored_beside_the_applied_one_and_offered_after_a_restart() {
    let labelled = |label| task("t", Script { label, ..Script::service() });
    let updates = |agent: &Agent| {
        let calls = agent.world.calls("t");
        calls.into_iter().filter(|call| *call == "update").count()
    };
    let agent = Agent::new();
    agent.assign(vec![labelled(0)]);
    agent.run(100);
    agent.world.lock().trouble = Some(Trouble::UpdateRefused);
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    assert_eq!((updates(&agent), applied(&agent)), (1, Some(0)));
    let agent = agent.restart();
    agent.run(100);
    assert_eq!((updates(&agent), applied(&agent)), (2, Some(0)));
    agent.world.lock().trouble = None;
    let agent = agent.restart();
    agent.run(100);
    assert_eq!((updates(&agent), applied(&agent)), (3, Some(1)));
    agent.check();
}

#[test]
fn a_definition_that_was_refused_is_never_stored_as_applied() {
    let labelled = |label| task("t", Script { label, ..Script::service() });
    let agent = Agent::new();
    agent.assign(vec![labelled(0)]);
    agent.run(100);
    agent.world.lock().trouble = Some(Trouble::UpdateRefused);
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    // The next one is stored, and nothing else happens.
    agent.world.store.set_faults(|_| Some(StoreFault::Hangs { written: usize::MAX }));
    assert!(agent.pool.run_until(agent.handle.assign(vec![labelled(2)])).is_none());
    agent.world.store.set_faults(|_| None);
    assert_eq!(applied(&agent), Some(0));
    agent.world.lock().trouble = None;
    let agent = agent.restart();
    agent.run(100);
    assert_eq!((applied(&agent), agent.world.lock().workloads["t"].label), (Some(2), 2));
    agent.check();
}

#[test]
fn a_definition_that_is_accepted_while_a_refused_one_is_stored_is_the_applied_one() {
    let labelled = |label, known| task("t", Script { known, label, ..Script::service() });
    let world = World::new();
    let agent = Agent::with_store(&world, Slow(world.clone()), &Told::default(), 1);
    agent.assign(vec![labelled(0, true)]);
    agent.run(100);
    // The second is sent as soon as the first is stored. The controller accepts it in between.
    let both = async {
        agent.handle.assign(vec![labelled(1, true)]).await.unwrap();
        agent.handle.assign(vec![labelled(2, false)]).await.unwrap();
    };
    agent.pool.run_until(both).unwrap();
    agent.run(100);
    assert_eq!(agent.world.lock().workloads["t"].label, 1);
    assert_eq!(applied(&agent), Some(1));
    agent.pool.crash();
    let agent = Agent::start(&agent.world, &agent.told, 2);
    agent.run(100);
    assert_eq!(applied(&agent), Some(1));
    agent.check();
}

#[test]
fn the_reason_of_a_store_error_and_its_causes_are_still_there() {
    let reason = ControllerError::new("no luck").with_source("rain");
    let error = StoreError::new(reason);
    assert_eq!(error.to_string(), "no luck");
    assert!(error.get_ref().downcast_ref::<ControllerError>().is_some());
    let causes: Vec<_> = successors(error.source(), |&error| error.source()).collect();
    assert_eq!(causes.last().unwrap().to_string(), "rain");
}

#[test]
fn a_store_that_cannot_be_read_opens_no_worker() {
    let world = World::new();
    world.store.set_faults(|_| Some(NOTHING));
    let pool = VirtualPool::new(world.time.clone(), 1);
    let error = open(&world, world.store.clone(), &Told::default(), &pool).unwrap_err();
    assert_eq!(error.to_string(), "a planted fault");
}
