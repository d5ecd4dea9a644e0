//! Processes as the tasks of a real swarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use onward::TaskState;
use support::program::{Worker, until};
use support::swarm::{Swarm, swarm};

const COMMANDS: &str = r#"
[commands.talk]
command = ["sh", "-c", "trap 'exit 5' TERM; echo $COLOR; echo err >&2; while :; do sleep 0.1; done"]
allow_env = ["COLOR"]

[commands.fail]
command = ["sh", "-c", "exit 7"]
"#;

/// The pids of the running processes. `None`: the worker does not answer.
fn pids(worker: &Worker) -> Option<Vec<i64>> {
    let shown = worker.command(&["ps", "--json"]);
    let tasks: serde_json::Value = serde_json::from_slice(&shown.stdout).ok()?;
    let running = tasks.as_array()?.iter().filter(|task| task["Status"]["State"] == "running");
    let pid = |task: &serde_json::Value| task["Status"]["ContainerStatus"]["PID"].as_i64();
    running.map(pid).collect()
}

fn logs(swarm: &Swarm, service: &str) -> String {
    swarm.docker(&["service", "logs", "--raw", service])
}

#[test]
fn a_service_runs_the_processes_that_the_worker_allows() {
    let Some(swarm) = swarm("a_service_runs_the_processes_that_the_worker_allows") else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), COMMANDS).unwrap();
    let flags = ["--runtime", "process", "--commands", file.path().to_str().unwrap()];
    let mut worker = Worker::start_with(&swarm, "spawned", &flags);

    let talk = worker.create("talk", &["--replicas", "2", "--env", "COLOR=red", "talk"]);
    swarm.running(&talk, 2);
    until("both have talked", || (logs(&swarm, &talk) == "red\nred\n").then_some(()));
    let fail = worker.create("fail", &["--restart-condition", "none", "fail"]);
    let failed = swarm.ended(&fail);
    assert_eq!((failed.state(), failed.exit_code()), (TaskState::Failed, Some(7)));
    let other = worker.create("other", &["--restart-condition", "none", "other"]);
    let rejected = swarm.ended(&other);
    assert_eq!(rejected.state(), TaskState::Rejected);
    assert!(rejected.err().contains("commands, which are fail, talk"), "{}", rejected.err());

    let before = pids(&worker).unwrap();
    assert_eq!(before.len(), 2);
    worker.kill();
    worker.run();
    until("the same processes run", || (pids(&worker).as_ref() == Some(&before)).then_some(()));
    swarm.running(&talk, 2);
    swarm.docker(&["service", "scale", "--detach", &format!("{talk}=0")]);
    until("the tasks are removed", || swarm.tasks("service", &talk).is_empty().then_some(()));
}
