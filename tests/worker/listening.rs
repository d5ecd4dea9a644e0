//! Listeners and reporters.

use super::agent::{Agent, open_on, task};
use super::world::{Script, Told, World};
use futures::future::BoxFuture;
use onward::agent::reporter::{ReportError, StatusUpdate};
use onward::agent::runtime::SpawnError;
use onward::agent::store::StoreFault;
use onward::agent::{Reporter, Runtime, StatusReporter, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::VirtualPool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::UtcDateTime;

struct Listens(Told);

impl StatusSink for Listens {
    fn changed(&self, id: &str, status: TaskStatus) {
        self.0.put(id, status);
    }

    fn removed(&self, id: &str) {
        self.0.forget(id);
    }
}

#[test]
fn a_listener_gets_every_stored_status_first_and_then_new_ones() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3)), task("web", Script::service())]);
    agent.run(1_000);
    let told = Told::default();
    let listener = agent.handle.listen(Listens(told.clone()));
    agent.run(10);
    assert_eq!(told.states("job"), [TaskState::Failed]);
    assert_eq!(told.states("web"), [TaskState::Running]);
    assert_eq!(told.last(), agent.told.last());
    agent.assign(vec![task("new", Script::job(10, 0))]);
    agent.run(1_000);
    assert_eq!(told.states("new").last(), Some(&TaskState::Complete));
    // Removed tasks are not reported again.
    assert_eq!(told.all().keys().collect::<Vec<_>>(), ["new"]);
    drop(listener);
    agent.assign(vec![task("newer", Script::job(10, 0))]);
    agent.run(1_000);
    assert_eq!(told.all().keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(agent.told.states("newer").last(), Some(&TaskState::Complete));
}

#[test]
fn a_new_listener_gets_the_stored_statuses_while_the_store_fails() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(500, 3)), task("web", Script::service())]);
    agent.run(100);
    agent.world.store.set_faults(|_| Some(StoreFault::Fails { written: 0 }));
    agent.run(1_000);
    let told = Told::default();
    agent.handle.listen(Listens(told.clone())).forever();
    agent.run(10);
    let running = [TaskState::Running];
    assert_eq!((told.states("job"), told.states("web")), (running.into(), running.into()));
    agent.world.store.set_faults(|_| None);
    agent.run(60_000);
    assert_eq!(told.states("job"), [TaskState::Running, TaskState::Failed]);
    agent.check();
}

#[test]
fn a_listener_that_is_dropped_at_once_gets_nothing_and_a_permanent_one_everything() {
    let agent = Agent::new();
    agent.assign(vec![task("web", Script::service())]);
    agent.run(100);
    let (brief, faithful) = (Told::default(), Told::default());
    drop(agent.handle.listen(Listens(brief.clone())));
    agent.handle.listen(Listens(faithful.clone())).forever();
    agent.run(100);
    assert_eq!((brief.last().len(), faithful.last().len()), (0, 1));
}

/// A sink that collects statuses.
#[derive(Clone, Default)]
struct Arrives(Arc<Mutex<Vec<(String, TaskState)>>>);

impl StatusReporter for Arrives {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        let arrived = updates.iter().map(|update| (update.id.to_string(), update.status.state));
        self.0.lock().unwrap().extend(arrived);
        Ok(())
    }
}

#[test]
fn a_reporter_as_a_listener_delivers_the_last_status_at_the_close() {
    let agent = Agent::new();
    let arrives = Arrives::default();
    let mut reporter = Reporter::new(arrives.clone(), Arc::new(agent.pool.clone()));
    agent.handle.listen(reporter.handle()).forever();
    agent.assign(vec![task("job", Script::job(50, 0))]);
    agent.run(1_000);
    agent.handle.close();
    agent.pool.run();
    let late = agent.world.time.now() + Duration::from_secs(1);
    agent.pool.run_until(reporter.flush(late)).unwrap().unwrap();
    let last = arrives.0.lock().unwrap().last().cloned();
    assert_eq!(last, Some(("job".into(), TaskState::Complete)));
}

/// A runtime whose time of day goes back by an hour with every second.
struct Jumps(VirtualPool);

impl Runtime for Jumps {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep_until(moment)
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        self.0.spawn(future)
    }

    fn utc_now(&self) -> UtcDateTime {
        let (start, now) = (UtcDateTime::UNIX_EPOCH + Duration::from_secs(1 << 30), self.0.now());
        start - Duration::from_secs(3600 * now.as_secs()) + now
    }
}

#[test]
fn a_clock_that_jumps_loses_nothing() {
    let (world, told) = (World::new(), Told::default());
    let pool = VirtualPool::new(world.time.clone(), 1);
    let runtime = Arc::new(Jumps(pool.clone()));
    let (mut worker, handle) = open_on(&world, world.store.clone(), &told, &pool, runtime).unwrap();
    pool.spawn(Box::pin(async move { worker.run().await })).unwrap();
    let job = Script { tries: 2, ..Script::job(2_000, 3) };
    assert_eq!(pool.run_until(handle.assign(vec![task("job", job)])).unwrap().unwrap(), []);
    pool.run();
    let states = told.states("job");
    assert!(states.is_sorted(), "{states:?}");
    assert_eq!(states.last(), Some(&TaskState::Failed));
    assert_eq!(world.stored("job").unwrap().status.as_deref(), told.last().get("job"));
}
