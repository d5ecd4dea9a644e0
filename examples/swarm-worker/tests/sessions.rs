//! A worker and a manager that the test plays.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_kit::spec::TaskSpec;
use onward::agent::store::{StoreChange, StoreError, StoredTask};
use onward::agent::{MemoryStore, Store};
use support::authority::Authority;
use support::dispatcher::{LIMIT, complete, first, incremental, remove, update};
use support::worker::{Manager, NODE, Running, joined, only_id, task};
use swarm_worker::task::SwarmTask;
use swarm_worker::wire::{self, TaskState};
use tokio::time::{sleep, timeout};
use tonic::Status;

/// A manager, and a worker with an empty store that has joined it.
async fn fixture() -> (Manager, Running, tempfile::TempDir) {
    let authority = Authority::new();
    let manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let running = Running::start(dir.path()).await;
    (manager, running, dir)
}

/// Waits until something is true.
async fn until(what: &str, is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(LIMIT, waiting).await.is_ok(), "{what}: not within {LIMIT:?}");
}

fn removed() -> Status {
    Status::permission_denied(format!(
        "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = \
         Permission denied: node {NODE} was removed from swarm"
    ))
}

const RUNNING: i32 = TaskState::Running as i32;
const SHUTDOWN: i32 = TaskState::Shutdown as i32;

#[tokio::test]
async fn a_session_begins_with_a_description_and_a_heartbeat() {
    let (mut manager, _running, _dir) = fixture().await;
    let opened = manager.dispatcher.open("one", vec![]).await;
    let description = opened.request.description.unwrap();
    assert!(!description.hostname.is_empty());
    assert!(!description.tls_info.unwrap().trust_root.is_empty());
    for _ in 0..3 {
        assert_eq!(manager.dispatcher.heartbeats.next().await.session_id, "one");
    }
}

#[tokio::test]
async fn the_states_of_a_task_arrive_in_their_order() {
    let (mut manager, running, _dir) = fixture().await;
    let web = || task("web", TaskState::Running);
    let opened = manager.dispatcher.open("one", vec![update(web())]).await;
    let mut states = manager.dispatcher.until("web", RUNNING).await;
    let shutdown = vec![update(task("web", TaskState::Shutdown))];
    opened.assignments.send(Ok(incremental("1", "2", shutdown))).unwrap();
    states.extend(manager.dispatcher.until("web", SHUTDOWN).await);
    assert!(states.is_sorted(), "{states:?}");
    opened.assignments.send(Ok(incremental("2", "3", vec![remove(only_id("web"))]))).unwrap();
    until("the task is removed", || running.tasks().is_empty()).await;
}

#[tokio::test]
async fn a_foreign_task_does_not_hold_back_the_statuses_of_others() {
    let (mut manager, _running, _dir) = fixture().await;
    manager.dispatcher.answers.lock().unwrap().statuses = Box::new(|request| {
        if request.updates.iter().any(|update| update.task_id == "foreign") {
            return Err(Status::permission_denied("cannot update a task not assigned this node"));
        }
        Ok(())
    });
    let tasks = ["a", "b", "foreign", "c"].map(|id| update(task(id, TaskState::Running)));
    let _opened = manager.dispatcher.open("one", tasks.to_vec()).await;
    let mut missing = vec!["a", "b", "c"];
    while !missing.is_empty() {
        let updates = manager.dispatcher.statuses.next().await.updates;
        // The others of such a call were refused with it.
        if updates.iter().all(|update| update.task_id != "foreign") {
            let runs = |id: &str| {
                let mut runs =
                    updates.iter().filter(|u| u.status.as_ref().unwrap().state == RUNNING);
                runs.any(|update| update.task_id == id)
            };
            missing.retain(|id| !runs(id));
        }
    }
    assert!(manager.dispatcher.sessions.now().is_none(), "the session is lost");
}

#[tokio::test]
async fn a_new_session_gets_all_statuses_again() {
    let (mut manager, running, _dir) = fixture().await;
    let tasks = || ["a", "b"].map(|id| update(task(id, TaskState::Running))).to_vec();
    let opened = manager.dispatcher.open("one", tasks()).await;
    until("both run", || {
        let views = running.worker.tasks().tasks();
        views.len() == 2
            && views.iter().all(|view| view.snapshot.status.state == onward::TaskState::Running)
    })
    .await;
    drop(opened);
    let _opened = manager.dispatcher.open("two", tasks()).await;
    let mut missing = vec!["a", "b"];
    while !missing.is_empty() {
        let request = manager.dispatcher.statuses.next().await;
        if request.session_id == "two" {
            assert!(request.updates.iter().all(|u| u.status.as_ref().unwrap().state == RUNNING));
            missing.retain(|id| request.updates.iter().all(|update| update.task_id != *id));
        }
    }
}

#[tokio::test]
async fn after_a_gap_the_assignments_are_read_from_a_new_stream() {
    let (mut manager, running, _dir) = fixture().await;
    let opened = manager.dispatcher.open("one", vec![]).await;
    let lost = vec![update(task("after-the-gap", TaskState::Running))];
    opened.assignments.send(Ok(incremental("7", "8", lost))).unwrap();
    let (asked, assignments) = manager.dispatcher.assignments.next().await;
    assert_eq!(asked.session_id, "one");
    let old = vec![update(task("of-the-old-stream", TaskState::Running))];
    _ = opened.assignments.send(Ok(incremental("1", "2", old)));
    let new = vec![update(task("new", TaskState::Running))];
    assignments.send(Ok(complete("1", new))).unwrap();
    manager.dispatcher.until("new", RUNNING).await;
    assert_eq!(running.tasks(), ["new"]);
    timeout(LIMIT, opened.assignments.closed()).await.expect("the old stream is dropped");
    assert!(!opened.session.is_closed(), "the session goes on");
}

#[tokio::test]
async fn a_complete_message_removes_what_it_does_not_have() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let store = Flaky::default();
    let running = Running::start_with(dir.path(), store.clone()).await;
    let both = ["old", "stays"].map(|id| update(task(id, TaskState::Running)));
    let opened = manager.dispatcher.open("one", both.to_vec()).await;
    manager.dispatcher.until("old", RUNNING).await;
    drop(opened);
    let (opened, _) = manager.dispatcher.sessions.next().await;
    assert_eq!(opened.session_id, "");
    running.stop().await;
    // The same store after a restart of the worker.
    let running = Running::start_with(dir.path(), store).await;
    assert_eq!(running.tasks(), ["old", "stays"]);
    let stays = vec![update(task("stays", TaskState::Running))];
    let _opened = manager.dispatcher.open("two", stays).await;
    until("the other one is removed", || running.tasks() == ["stays"]).await;
}

/// A store in memory. Its clones have the same tasks, and fail or hang on demand.
#[derive(Clone, Default)]
struct Flaky {
    store: Arc<MemoryStore<TaskSpec<SwarmTask>>>,
    fails: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

impl Store<TaskSpec<SwarmTask>> for Flaky {
    async fn load(&self) -> Result<Vec<StoredTask<TaskSpec<SwarmTask>>>, StoreError> {
        self.store.load().await
    }

    async fn commit(&self, changes: &[StoreChange<TaskSpec<SwarmTask>>]) -> Result<(), StoreError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::new("the disk is full"));
        }
        self.store.commit(changes).await
    }
}

#[tokio::test]
async fn a_message_is_applied_when_the_store_works_again() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let store = Flaky::default();
    let running = Running::start_with(dir.path(), store.clone()).await;
    store.fails.store(true, Ordering::Relaxed);
    let web = vec![update(task("web", TaskState::Running))];
    let opened = manager.dispatcher.open("one", web).await;
    until("the store fails", || !running.board.notices().is_empty()).await;
    let more = vec![update(task("more", TaskState::Running))];
    opened.assignments.send(Ok(incremental("1", "2", more))).unwrap();
    store.fails.store(false, Ordering::Relaxed);
    manager.dispatcher.until("more", RUNNING).await;
    assert_eq!(running.tasks(), ["more", "web"]);
    assert!(!opened.session.is_closed(), "the session goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_while_the_store_hangs() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let store = Flaky::default();
    let _running = Running::start_with(dir.path(), store.clone()).await;
    store.hangs.store(true, Ordering::Relaxed);
    let web = vec![update(task("web", TaskState::Running))];
    let opened = manager.dispatcher.open("one", web).await;
    for number in 2..50 {
        let id = format!("{number}");
        let more = vec![update(task(&id, TaskState::Running))];
        let message = incremental(&(number - 1).to_string(), &id, more);
        opened.assignments.send(Ok(message)).unwrap();
    }
    for _ in 0..6 {
        assert_eq!(manager.dispatcher.heartbeats.next().await.session_id, "one");
    }
    assert!(!opened.session.is_closed(), "the session goes on");
}

#[tokio::test]
async fn secrets_come_before_the_tasks_and_may_be_removed_twice() {
    use swarm_worker::wire::assignment::Item;
    let secret = |data: &[u8]| {
        let spec = wire::SecretSpec { data: data.to_vec(), ..Default::default() };
        Item::Secret(wire::Secret { id: "s".to_owned(), spec: Some(spec), ..Default::default() })
    };
    let (mut manager, running, _dir) = fixture().await;
    let web = update(task("web", TaskState::Running));
    let opened = manager.dispatcher.open("one", vec![web, update(secret(b"hunter2"))]).await;
    manager.dispatcher.until("web", RUNNING).await;
    let shown = format!("{:?}", running.dependencies);
    assert!(shown.contains("secrets: 1") && !shown.contains("hunter2"), "{shown}");
    for (applies_to, results_in) in [("1", "2"), ("2", "3")] {
        let gone = vec![remove(secret(b""))];
        opened.assignments.send(Ok(incremental(applies_to, results_in, gone))).unwrap();
    }
    until("it is removed", || format!("{:?}", running.dependencies).contains("secrets: 0")).await;
    let more = vec![update(task("more", TaskState::Running))];
    opened.assignments.send(Ok(incremental("3", "4", more))).unwrap();
    manager.dispatcher.until("more", RUNNING).await;
}

#[tokio::test]
async fn a_session_that_is_lost_at_any_message_is_followed_by_a_new_one() {
    let (mut manager, _running, _dir) = fixture().await;
    // The call is refused.
    let is_refused = AtomicBool::new(false);
    manager.dispatcher.answers.lock().unwrap().session = Box::new(move |_| {
        if is_refused.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        Err(Status::unavailable("no leader"))
    });
    // There is no first message.
    drop(manager.dispatcher.sessions.next().await);
    // An error instead of it.
    let (_, session) = manager.dispatcher.sessions.next().await;
    session.send(Err(Status::invalid_argument("session invalid"))).unwrap();
    // The stream ends later.
    let opened = manager.dispatcher.open("one", vec![]).await;
    drop(opened.session);
    // The stream of assignments fails at once.
    let (_, session) = manager.dispatcher.sessions.next().await;
    session.send(Ok(first("two"))).unwrap();
    let (_, assignments) = manager.dispatcher.assignments.next().await;
    assignments.send(Err(Status::not_found("node not registered"))).unwrap();
    // A heartbeat is refused.
    let opened = manager.dispatcher.open("three", vec![]).await;
    manager.dispatcher.answers.lock().unwrap().heartbeat = Box::new(|request| {
        if request.session_id == "three" {
            return Err(Status::invalid_argument("session invalid"));
        }
        Ok(Duration::from_secs(5))
    });
    drop(opened);
    // A call with statuses fails.
    manager.dispatcher.answers.lock().unwrap().statuses = Box::new(|request| {
        if request.session_id == "four" {
            return Err(Status::not_found("node not registered"));
        }
        Ok(())
    });
    let web = || vec![update(task("web", TaskState::Running))];
    let opened = manager.dispatcher.open("four", web()).await;
    timeout(LIMIT, opened.session.closed()).await.expect("the session is given up");
    drop(opened);
    let _opened = manager.dispatcher.open("five", web()).await;
    while manager.dispatcher.statuses.next().await.session_id != "five" {}
}

#[tokio::test]
async fn at_most_three_sessions_are_opened_in_eight_seconds() {
    let (mut manager, _running, _dir) = fixture().await;
    for id in ["one", "two", "three"] {
        drop(manager.dispatcher.open(id, vec![]).await);
    }
    sleep(Duration::from_secs(2)).await;
    assert!(manager.dispatcher.sessions.now().is_none(), "a fourth session");
    drop(manager.dispatcher.open("four", vec![]).await);
}

#[tokio::test]
async fn if_a_manager_stops_the_worker_goes_to_the_other_one() {
    let authority = Authority::new();
    let (mut one, mut other) = (Manager::start(&authority), Manager::start(&authority));
    let dir = joined(&authority, &[one.address()]);
    let running = Running::start(dir.path()).await;
    let opened = one.dispatcher.open("one", vec![]).await;
    let peer = |manager: &Manager| wire::WeightedPeer {
        peer: Some(wire::Peer { node_id: String::new(), addr: manager.address().to_string() }),
        weight: 1,
    };
    let managers = vec![peer(&one), peer(&other)];
    opened.session.send(Ok(wire::SessionMessage { managers, ..first("one") })).unwrap();
    let stored = || std::fs::read_to_string(dir.path().join("managers")).unwrap_or_default();
    until("the list is stored", || stored().contains(&other.address().to_string())).await;
    drop(one);
    let opened = other.dispatcher.open("two", vec![]).await;
    running.stop().await;
    drop(opened);
    // The next worker knows the other manager, too.
    let _running = Running::start(dir.path()).await;
    let _opened = other.dispatcher.open("three", vec![]).await;
}

#[tokio::test]
async fn a_removed_node_ends_its_sessions() {
    let (mut manager, running, _dir) = fixture().await;
    let _opened = manager.dispatcher.open("one", vec![]).await;
    manager.dispatcher.answers.lock().unwrap().heartbeat = Box::new(|_| Err(removed()));
    until("the worker has seen it", || running.serving.is_finished()).await;
}

#[tokio::test]
async fn a_removed_node_is_not_registered_again() {
    let (manager, running, _dir) = fixture().await;
    manager.dispatcher.answers.lock().unwrap().session = Box::new(|_| Err(removed()));
    until("the worker has seen it", || running.serving.is_finished()).await;
}

#[tokio::test]
async fn a_drained_or_paused_node_is_shown() {
    use swarm_worker::wire::node_spec::Availability;
    let (mut manager, running, _dir) = fixture().await;
    let opened = manager.dispatcher.open("one", vec![]).await;
    for (availability, expected) in [
        (Availability::Drain, "drained"),
        (Availability::Pause, "paused"),
        (Availability::Active, ""),
    ] {
        let spec = wire::NodeSpec { availability: availability.into(), ..Default::default() };
        let node = Some(wire::Node { spec: Some(spec), ..Default::default() });
        opened.session.send(Ok(wire::SessionMessage { node, ..first("one") })).unwrap();
        let notices = || running.board.notices().concat();
        until(expected, || {
            notices().contains(expected) && notices().is_empty() == expected.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn every_subscription_is_answered_with_its_end() {
    let (mut manager, _running, _dir) = fixture().await;
    let web = vec![update(task("web", TaskState::Running))];
    let _opened = manager.dispatcher.open("one", web).await;
    manager.dispatcher.until("web", RUNNING).await;
    let (_, subscriptions) = manager.logs.listeners.next().await;
    let ask = |id: &str, selector| {
        let selector = Some(selector);
        let message =
            wire::SubscriptionMessage { id: id.to_owned(), selector, ..Default::default() };
        subscriptions.send(Ok(message)).unwrap();
    };
    let none = wire::LogSelector::default;
    ask("nothing", none());
    assert_eq!(manager.logs.until_close("nothing").await, []);
    ask("task", wire::LogSelector { task_ids: vec!["no-such-task".to_owned()], ..none() });
    assert_eq!(manager.logs.until_close("task").await, []);
    ask("service", wire::LogSelector { service_ids: vec!["s1".to_owned()], ..none() });
    assert_eq!(manager.logs.until_close("service").await, []);
    // A subscription that the manager does not know is given up, and the next one is answered.
    ask("unknown", none());
    ask("node", wire::LogSelector { node_ids: vec![NODE.to_owned()], ..none() });
    assert_eq!(manager.logs.until_close("node").await, []);
}

#[tokio::test]
async fn subscriptions_are_listened_to_again_without_a_new_session() {
    let (mut manager, _running, _dir) = fixture().await;
    let opened = manager.dispatcher.open("one", vec![]).await;
    drop(manager.logs.listeners.next().await);
    let _subscriptions = manager.logs.listeners.next().await;
    assert!(!opened.session.is_closed(), "the session goes on");
}
