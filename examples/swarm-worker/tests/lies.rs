//! A manager that sends what no manager should.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::authority::Authority;
use support::dispatcher::{LIMIT, complete, incremental, update};
use support::worker::{Manager, Running, joined, task, task_of};
use swarm_worker::wire::assignment::Item;
use swarm_worker::wire::task_spec::Runtime;
use swarm_worker::wire::{self, TaskState};
use tokio::time::{sleep, timeout};

const RUNNING: i32 = TaskState::Running as i32;
const REJECTED: i32 = TaskState::Rejected as i32;

/// A task whose options are changed.
fn changed(id: &str, change: impl FnOnce(&mut wire::Task, &mut wire::ContainerSpec)) -> Item {
    let Item::Task(mut task) = task_of(id, "ok", TaskState::Running) else { panic!("no task") };
    let spec = task.spec.as_mut().unwrap();
    let Some(Runtime::Container(mut container)) = spec.runtime.take() else { panic!("none") };
    change(&mut task, &mut container);
    task.spec.as_mut().unwrap().runtime = Some(Runtime::Container(container));
    Item::Task(task)
}

/// Waits until something is true.
async fn until(what: &str, is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(LIMIT * 4, waiting).await.is_ok(), "{what}: not in time");
}

fn id(task: &Item) -> String {
    let Item::Task(task) = task else { panic!("no task") };
    task.id.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_elsewhere_are_rejected_and_not_printed_as_they_are() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let commands = dir.path().with_extension("toml");
    std::fs::write(&commands, "[commands.ok]\ncommand = ['sleep', '1000']\n").unwrap();
    let outside = dir.path().parent().unwrap().join("onward-lies");
    let program = || Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    let mut running = program()
        .args(["run", "--runtime", "process", "--commands"])
        .arg(&commands)
        .arg("--state")
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let long = "x".repeat(5_000);
    let ids =
        ["../../onward-lies", "a/b", "..", ".", "/onward-lies", "a\nb\u{1b}[31m", "-rf", &long];
    let mut tasks: Vec<_> =
        ids.iter().map(|id| update(task_of(id, "ok", TaskState::Running))).collect();
    let named = |id: &str, name: &str| {
        let name = name.to_owned();
        update(changed(id, |task, _| {
            task.annotations = Some(wire::Annotations { name, ..Default::default() });
        }))
    };
    tasks.push(named("n1", "../../etc"));
    tasks.push(named("n2", "\u{1b}]0;title\u{7}\n\nbad"));
    tasks.push(named("n3", "/etc"));
    tasks.push(update(task_of("good", "ok", TaskState::Running)));
    let expected: BTreeSet<_> = ids.iter().copied().chain(["n1", "n2", "n3"]).collect();
    let _opened = manager.dispatcher.open("one", tasks).await;
    let (mut rejected, mut runs) = (BTreeSet::new(), BTreeSet::new());
    while rejected.len() + runs.len() < expected.len() + 1 {
        for update in manager.dispatcher.statuses.next().await.updates {
            let status = update.status.unwrap();
            match status.state {
                REJECTED => {
                    rejected.insert(update.task_id);
                }
                RUNNING => {
                    runs.insert(update.task_id);
                }
                _ => {}
            }
        }
    }
    assert!(runs.contains("good"), "{runs:?}");
    for arguments in [&["ps"][..], &["ps", "--json"], &["logs", "good"], &["stop", "nix"]] {
        let shown = program().args(arguments).arg("--state").arg(dir.path()).output().unwrap();
        let all = [shown.stdout, shown.stderr].concat();
        let is_safe = |byte: &u8| !byte.is_ascii_control() || *byte == b'\n';
        assert!(all.iter().all(is_safe), "{}", String::from_utf8_lossy(&all));
    }
    assert!(!outside.exists());
    running.kill().unwrap();
    running.wait().unwrap();
    let left = program().arg("leave").arg("--state").arg(dir.path()).output().unwrap();
    assert!(left.status.success(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_options_are_rejected_or_run_and_others_go_on() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let _running = Running::start(dir.path()).await;
    let duration = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    let durations = [
        duration(-1, 0),
        duration(i64::MAX, i32::MAX),
        duration(i64::MIN, i32::MIN),
        duration(0, -1),
    ];
    let mut tasks = Vec::new();
    for (at, duration) in durations.into_iter().enumerate() {
        tasks.push(changed(&format!("grace{at}"), |_, spec| spec.stop_grace_period = duration));
        tasks.push(changed(&format!("health{at}"), |_, spec| {
            spec.healthcheck = Some(wire::HealthConfig {
                test: vec!["CMD".to_owned()],
                interval: duration,
                timeout: duration,
                start_period: duration,
                retries: i32::MIN,
                ..Default::default()
            });
        }));
    }
    for (at, number) in [i64::MIN, -1, 1, i64::MAX].into_iter().enumerate() {
        tasks.push(changed(&format!("limits{at}"), |task, spec| {
            spec.pids_limit = number;
            spec.oom_score_adj = number;
            spec.ulimits = vec![wire::container_spec::Ulimit {
                name: "nofile".to_owned(),
                soft: number,
                hard: number,
            }];
            let limits =
                wire::Resources { nano_cpus: number, memory_bytes: number, ..Default::default() };
            task.spec.as_mut().unwrap().resources = Some(wire::ResourceRequirements {
                limits: Some(limits.clone()),
                reservations: Some(limits),
                swap_bytes: Some(number),
                memory_swappiness: Some(number),
            });
        }));
        tasks.push(changed(&format!("status{at}"), |task, _| {
            task.status = Some(wire::TaskStatus {
                state: i32::try_from(number).unwrap_or(7),
                timestamp: Some(prost_types::Timestamp { seconds: number, nanos: i32::MIN }),
                ..Default::default()
            });
            task.desired_state = i32::try_from(number).unwrap_or(i32::MAX);
            task.meta = Some(wire::Meta {
                created_at: Some(prost_types::Timestamp { seconds: number, nanos: i32::MAX }),
                ..Default::default()
            });
            task.slot = u64::MAX;
        }));
    }
    tasks.push(task("good", TaskState::Running));
    let mut missing: BTreeSet<_> = tasks.iter().map(id).collect();
    let _opened = manager.dispatcher.open("one", tasks.into_iter().map(update).collect()).await;
    let mut refused = BTreeSet::new();
    while !missing.is_empty() {
        for update in manager.dispatcher.statuses.next().await.updates {
            let state = update.status.unwrap().state;
            if state >= RUNNING {
                missing.remove(&update.task_id);
            }
            if state == REJECTED {
                refused.insert(update.task_id);
            }
        }
    }
    for id in ["grace0", "grace2", "grace3", "health0", "limits3", "status0", "status1"] {
        assert!(refused.contains(id), "{id} is not refused: {refused:?}");
    }
    assert!(!refused.contains("good"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_tasks_come_in_one_message_and_go_in_one() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let running = Running::start(dir.path()).await;
    let tasks = (0..2_000).map(|at| update(task(&format!("t{at:05}"), TaskState::Running)));
    let opened = manager.dispatcher.open("one", tasks.collect()).await;
    // Its statuses are not counted: on a slow machine, the session may be another one by now.
    let runs = |running: &Running| {
        let tasks = running.worker.tasks().tasks();
        let states = tasks.iter().map(|task| task.snapshot.status.state);
        tasks.len() == 2_000 && states.into_iter().all(|state| state == onward::TaskState::Running)
    };
    until("all tasks run", || runs(&running)).await;
    let huge = "x".repeat(129 << 20);
    let huge = changed("huge", |_, spec| spec.env = vec![format!("A={huge}")]);
    _ = opened.assignments.send(Ok(incremental("1", "2", vec![update(huge)])));
    let opened =
        manager.dispatcher.open("two", vec![update(task("t00000", TaskState::Running))]).await;
    until("the others are gone", || running.tasks() == ["t00000"]).await;
    opened.assignments.send(Ok(complete("9", Vec::new()))).unwrap();
    until("all are gone", || running.tasks().is_empty()).await;
}
