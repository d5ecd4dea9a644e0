//! The end of an agent: `close` and `shut_down`.

use super::agent::{Agent, open, task};
use super::world::{Script, Slow, Told, Trouble, World};
use futures::FutureExt as _;
use futures::future::{join, join3, select};
use onward::agent::store::StoreFault;
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignError, AssignedTask, Policy};
use onward::exec::Assignment;
use onward::lifecycle::TaskState;
use onward::testing::VirtualPool;
use std::time::Duration;

/// An empty set.
const NOTHING: [AssignedTask<Script>; 0] = [];

#[test]
fn a_close_leaves_every_task_unchanged_and_the_next_agent_resumes_it() {
    let agent = Agent::new();
    agent.assign(vec![task("web", Script::service()), task("job", Script::job(50, 3))]);
    agent.run(10);
    agent.handle.close();
    agent.run(5);
    // Not before every controller is closed.
    assert!(!agent.has_ended());
    agent.pool.run();
    assert!(agent.has_ended());
    assert_eq!(agent.world.lock().workloads.len(), 2);
    let error = agent.try_assign(vec![task("u", Script::service())]);
    assert!(matches!(error, Err(AssignError::Closed)), "{error:?}");
    let agent = agent.restart();
    agent.run(1_000);
    assert_eq!(agent.state("web"), Some(TaskState::Running));
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.world.lock().workloads["web"].started.map(|at| at.as_millis()), Some(5));
    agent.check();
}

#[test]
fn the_last_statuses_are_durable_and_reported_when_the_run_returns() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3))]);
    agent.world.store.set_faults(|_| Some(StoreFault::Fails { written: 0 }));
    agent.run(100);
    agent.handle.close();
    agent.run(100);
    assert_eq!(agent.told.last().len(), 0);
    assert!(!agent.has_ended());
    agent.world.store.set_faults(|_| None);
    agent.pool.run();
    assert!(agent.has_ended());
    assert_eq!(agent.told.states("job"), [TaskState::Failed]);
    agent.check();
}

#[test]
fn an_agent_that_stops_shuts_every_task_down_and_waits_for_each() {
    let agent = Agent::new();
    let patient = Policy::default().with_shutdown_grace(Duration::from_secs(60));
    agent.assign(vec![
        task("web", Script::service()).with_policy(patient.clone()),
        task("job", Script::job(1, 3)),
        task("gone", Script::service()),
    ]);
    agent.run(100);
    agent.update(vec![AssignmentChange::Remove("gone".into())]);
    assert!(agent.pool.run_until(agent.handle.shut_down()).unwrap().is_ok());
    assert_eq!(agent.state("web"), Some(TaskState::Shutdown));
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.view("web").record.policy, Some(patient.into()));
    // Tasks that had ended before are unchanged.
    assert_eq!(agent.view("job").record.assignment.desired_state, TaskState::Running);
    // A second call changes nothing.
    assert!(agent.pool.run_until(agent.handle.shut_down()).unwrap().is_ok());
    agent.handle.close();
    agent.pool.run();
    let late = agent.pool.run_until(agent.handle.shut_down());
    assert!(matches!(late, Some(Err(AssignError::Closed))));
    agent.check();
}

#[test]
fn until_returns_an_error_if_the_worker_is_closed() {
    let agent = Agent::new();
    agent.assign(vec![task("web", Script { obeys: false, ..Script::service() })]);
    agent.run(100);
    let mut stops = Box::pin(agent.handle.shut_down());
    assert!((&mut stops).now_or_never().is_none());
    agent.run(1);
    agent.handle.close();
    let stopped = agent.pool.run_until(stops);
    assert!(matches!(stopped, Some(Err(AssignError::Closed))), "{stopped:?}");
}

#[test]
fn tasks_assigned_before_shut_down_are_shut_down_and_later_ones_are_not() {
    let agent = Agent::new();
    let (stops, later) = (agent.handle.clone(), agent.handle.clone());
    let first = agent.handle.assign(vec![task("a", Script::service())]);
    let all = async {
        let two = vec![task("a", Script::service()), task("b", Script::service())];
        join3(first, stops.shut_down(), later.assign(two)).await
    };
    let (first, stopped, refused) = agent.pool.run_until(all).unwrap();
    assert!(first.is_ok() && stopped.is_ok());
    assert_eq!(refused.unwrap().len(), 1, "`a` does not come back");
    agent.run(1_000);
    assert_eq!(agent.state("a"), Some(TaskState::Shutdown));
    assert_eq!(agent.state("b"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn a_task_that_was_removed_is_not_stored_again_by_shut_down() {
    let agent = Agent::new();
    agent.assign(vec![task("a", Script::service())]);
    agent.run(100);
    let both = join(agent.handle.assign(NOTHING), agent.handle.shut_down());
    let (removed, stopped) = agent.pool.run_until(both).unwrap();
    assert!(removed.is_ok() && stopped.is_ok());
    agent.run(1_000);
    assert_eq!(agent.state("a"), None);
    agent.check();
}

#[test]
fn a_successor_is_shut_down_too() {
    let agent = Agent::new();
    agent.assign(vec![task("a", Script::service())]);
    agent.run(100);
    agent.assign(Vec::new());
    agent.assign(vec![task("a", Script::service())]);
    assert!(agent.pool.run_until(agent.handle.shut_down()).unwrap().is_ok());
    agent.run(1_000);
    assert_eq!(agent.state("a"), Some(TaskState::Shutdown));
    agent.check();
}

#[test]
fn a_message_returns_an_error_if_the_worker_is_dropped() {
    let agent = Agent::new();
    agent.world.store.set_faults(|_| Some(StoreFault::Hangs { written: 0 }));
    let mut waits = Box::pin(agent.handle.assign(vec![task("t", Script::service())]));
    assert!(agent.pool.run_until(&mut waits).is_none());
    agent.pool.crash();
    assert!(matches!(agent.pool.run_until(waits), Some(Err(AssignError::Closed))));
    let late = agent.pool.run_until(agent.handle.assign(NOTHING));
    assert!(matches!(late, Some(Err(AssignError::Closed))));
}

#[test]
fn the_debug_output_of_worker_types_has_their_names() {
    let agent = Agent::new();
    let listener = agent.handle.listen(|_: &str, _| {});
    let pool = VirtualPool::new(agent.world.time.clone(), 1);
    let (worker, _) =
        open(&agent.world, agent.world.store.clone(), &Told::default(), &pool).unwrap();
    let (handle, store, changes) = (&agent.handle, &agent.world.store, agent.handle.changes());
    let shown = format!("{worker:?} {handle:?} {changes:?} {listener:?} {store:?}");
    let names = "Worker { .. } WorkerHandle { .. } Changes { .. } Listener { .. } MemoryStore { tasks: 0, .. }";
    assert_eq!(shown, names);
}

#[test]
fn a_worker_that_is_dropped_closes_its_drivers() {
    let (world, told) = (World::new(), Told::default());
    let pool = VirtualPool::new(world.time.clone(), 1);
    let (mut worker, handle) = open(&world, world.store.clone(), &told, &pool).unwrap();
    let assign = handle.assign(vec![task("t", Script::service())]);
    {
        let mut run = Box::pin(worker.run());
        pool.run_until(select(&mut run, Box::pin(assign))).unwrap();
        assert!(pool.run_until(run).is_none());
    }
    drop(worker);
    pool.run();
    let tasks = handle.tasks();
    assert!(tasks[0].snapshot.driver_has_ended);
    assert_eq!(tasks[0].snapshot.status.state, TaskState::Running);
}

#[test]
fn an_executor_that_hangs_does_not_delay_a_close() {
    let agent = Agent::new();
    agent.world.lock().trouble = Some(Trouble::ExecutorHangs);
    agent.assign(vec![task("t", Script::service())]);
    agent.run(100);
    agent.handle.close();
    agent.pool.run();
    assert!(agent.has_ended());
    let late = agent.pool.run_until(agent.handle.assign(NOTHING));
    assert!(matches!(late, Some(Err(AssignError::Closed))));
    agent.check();
}

#[test]
fn a_close_during_a_commit_begins_nothing_and_ends() {
    let world = World::new();
    let agent = Agent::with_store(&world, Slow(world.clone()), &Told::default(), 1);
    agent.assign(vec![task("old", Script::service())]);
    agent.run(100);
    let both =
        [task("old", Script { label: 1, ..Script::service() }), task("new", Script::service())];
    let mut assign = Box::pin(agent.handle.assign(both));
    assert!((&mut assign).now_or_never().is_none());
    agent.run(1);
    agent.handle.close();
    assert_eq!(agent.pool.run_until(assign).unwrap().unwrap(), []);
    agent.pool.run();
    assert!(agent.has_ended());
    assert_eq!(agent.world.calls("new"), [""; 0]);
    agent.check();
}

#[test]
fn shut_down_lowers_no_desired_state() {
    let agent = Agent::new();
    let removed = |id| {
        let script = Script { obeys: false, ..Script::service() };
        AssignedTask::new(Assignment::new(id, script)).with_desired_state(TaskState::Remove)
    };
    agent.assign(vec![task("t", Script { obeys: false, ..Script::service() })]);
    agent.run(100);
    agent.assign(vec![removed("t")]);
    assert!(agent.pool.run_until(agent.handle.shut_down()).unwrap().is_ok());
    let stored = agent.world.stored("t").unwrap();
    assert_eq!(stored.record.assignment.desired_state, TaskState::Remove);
    assert_eq!(stored.status.unwrap().state, TaskState::Shutdown);
    agent.check();
}
