//! No process of a task survives it, with its keeper or without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;
#[path = "support/without_cgroup.rs"]
mod without_cgroup;

use std::time::Duration;

use process_agent::keeper::{By, End, KeeperError, State};
use rustix::process::Signal;
use task::Task;

/// Starts a daemon without a parent in its own session. It ignores signals and has a child. Prints
/// `ready` when it is running.
const DAEMON: &str = "
    setsid sh -c '
        trap \"\" TERM HUP INT
        sleep 1000 &
        echo there > \"$TEST_HOME/daemon\"
        while :; do sleep 0.05; done
    ' &
    while ! test -e \"$TEST_HOME/daemon\"; do sleep 0.01; done
    echo ready
";

/// With a short grace, because the daemon ignores the stop signal.
fn impatient(script: &str) -> Task {
    Task::shell_with(script, |definition| definition.stop_grace = Duration::from_millis(100))
}

#[tokio::test]
async fn a_daemon_does_not_survive_the_end_of_its_task() {
    let task = impatient(&format!("({DAEMON}); exit 6"));
    task.start().await;
    assert_eq!(task.code().await, (6, By::Exit));
    assert_eq!(task.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_daemon_does_not_survive_a_stop() {
    let task = impatient(&format!("({DAEMON}); while :; do sleep 0.05; done"));
    task.start().await;
    task.says("ready").await;
    assert!(task.alive().len() >= 3, "{:?}", task.alive());
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    assert_eq!(task.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_daemon_with_a_cleared_environment_does_not_survive() {
    let script = "
        (setsid env -i sh -c 'echo $$; exec sleep 1000' > \"$TEST_HOME/pid\" &)
        while ! test -s \"$TEST_HOME/pid\"; do sleep 0.01; done
    ";
    let task = Task::shell(script);
    task.start().await;
    assert_eq!(task.code().await, (0, By::Exit));
    let pid = std::fs::read_to_string(task.path("pid")).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
}

#[tokio::test]
async fn orphans_that_end_during_the_task_are_reaped() {
    let script = "
        (sh -c 'echo $$ > \"$TEST_HOME/pid\"' &)
        while ! test -s \"$TEST_HOME/pid\"; do sleep 0.01; done
        while test -e /proc/$(cat \"$TEST_HOME/pid\"); do sleep 0.01; done
    ";
    let task = Task::shell(script);
    task.start().await;
    assert_eq!(task.code().await, (0, By::Exit));
}

#[tokio::test]
async fn a_killed_keeper_is_lost_and_its_processes_are_swept() {
    let task = Task::shell(&format!("trap '' PIPE; ({DAEMON}); while :; do sleep 0.05; done"));
    task.start().await;
    task.says("ready").await;
    let pid = task.pid().await;
    let error = task.keeper.sweep().await.unwrap_err();
    assert!(matches!(error, KeeperError::StillRunning { .. }), "{error}");
    Task::signal(task.keeper_pid(), Signal::KILL);
    assert_eq!(task.end().await, End::Lost);
    assert_eq!(task.keeper.state().await.unwrap(), State::Lost);
    let error = task.keeper.spawn().await.unwrap_err();
    assert!(matches!(error, KeeperError::Lost { .. }), "{error}");
    assert!(!task.alive().is_empty(), "the workload did not outlive its keeper");
    assert!(task.keeper.sweep().await.unwrap() >= 3);
    assert_eq!(task.alive(), Vec::<String>::new());
    assert!(!is_running(pid));
    assert_eq!(task.keeper.sweep().await.unwrap(), 0);
    assert_eq!(task.keeper.state().await.unwrap(), State::Lost);
}

fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn all_tests_pass_without_a_cgroup() {
    without_cgroup::run_again("all_tests_pass_without_a_cgroup");
}
