//! All processes of a task get the stop signal and the grace, and none survives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;
#[path = "support/without_cgroup.rs"]
mod without_cgroup;

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use process_agent::keeper::{By, End, State, Tracking};
use rustix::process::Signal;
use task::{GUARD, Task};
use without_cgroup::{child, is_without_cgroup, run_again, skip};

/// `server NAME`: creates `NAME.up`, then waits. At each `TERM` it appends a line to `NAME.term`.
/// After a while, in which it starts other processes, it creates `NAME.drained` and exits.
const SERVER: &str = r#"
    cat > "$TEST_HOME/server" <<'end'
        cd "$TEST_HOME"
        trap 'echo term >> "$1.term"; for i in 1 2 3 4; do sleep 0.1; done; touch "$1.drained"; exit' TERM
        touch "$1.up"
        while :; do sleep 0.05; done
end
    server() { exec sh "$TEST_HOME/server" "$1"; }
    up() { while ! test -e "$TEST_HOME/$1.up"; do sleep 0.01; done; }
"#;

fn served(script: &str) -> Task {
    Task::shell_with(&format!("{SERVER}\n{script}"), |definition| {
        definition.stop_grace = GUARD;
    })
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(GUARD, waiting).await;
    waited.unwrap_or_else(|_| panic!("condition not met within {GUARD:?}: {what}"));
}

/// Checks that the server got the signal once, and finished before it was killed.
fn check_drained(task: &Task, name: &str) {
    assert!(task.path(&format!("{name}.drained")).exists(), "{name} has not drained");
    let signals = fs::read_to_string(task.path(&format!("{name}.term"))).unwrap();
    assert_eq!(signals, "term\n", "{name}");
}

#[tokio::test]
async fn a_child_of_a_shell_has_the_whole_grace_if_the_shell_ends_at_once() {
    let task = served("(server a) & up a; echo ready; wait");
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
}

#[tokio::test]
async fn both_ends_of_a_pipe_have_the_whole_grace() {
    let task = served("(server a) | (server b) & up a; up b; echo ready; wait");
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
    check_drained(&task, "b");
}

#[tokio::test]
async fn a_child_in_a_session_of_its_own_gets_the_stop_signal_and_the_grace() {
    let task = served("setsid sh \"$TEST_HOME/server\" a & up a; echo ready; sleep 1000");
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
}

#[tokio::test]
async fn a_daemon_gets_the_stop_signal_and_the_grace() {
    let task = served(
        "(setsid sh -c 'sh \"$TEST_HOME/server\" a & sleep 0.01' &) ; up a; echo ready; sleep 1000",
    );
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
}

#[tokio::test]
async fn a_daemon_with_a_cleared_environment_gets_the_stop_signal_and_the_grace() {
    let task = served(
        "(setsid env -i TEST_HOME=\"$TEST_HOME\" PATH=\"$PATH\" sh \"$TEST_HOME/server\" a &)
        up a; echo ready; sleep 1000",
    );
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
}

#[tokio::test]
async fn the_children_of_a_leader_that_exits_by_itself_get_the_signal_and_the_grace() {
    let task = served("(server a) & setsid sh \"$TEST_HOME/server\" b & up a; up b; exit 6");
    task.start().await;
    assert_eq!(task.code().await, (6, By::Exit));
    check_drained(&task, "a");
    check_drained(&task, "b");
}

#[tokio::test]
async fn the_state_is_running_until_no_process_is_left() {
    let task = served("(server a) & up a; exit 6");
    task.start().await;
    until("a process gets the stop signal", || task.path("a.term").exists()).await;
    let state = task.keeper.state().await.unwrap();
    let drained = task.path("a.drained").exists();
    assert!(matches!(state, State::Running { .. }) || drained, "{state:?}");
    assert_eq!(task.code().await, (6, By::Exit));
}

const STUBBORN: &str = "trap '' TERM; setsid sh -c 'echo ready; while :; do sleep 0.05; done' &";

#[tokio::test]
async fn a_remaining_process_that_ignores_the_signal_is_killed_after_the_grace() {
    let task = Task::shell_with(&format!("{STUBBORN} exit 6"), |definition| {
        definition.stop_grace = Duration::from_millis(100);
    });
    task.start().await;
    assert_eq!(task.code().await, (6, By::Exit));
    assert_eq!(task.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kill_ends_the_grace_of_remaining_processes() {
    let task = Task::shell_with(&format!("{STUBBORN} exit 6"), |definition| {
        definition.stop_grace = Duration::from_secs(100_000);
    });
    task.start().await;
    task.says("ready").await;
    task.keeper.kill().await.unwrap();
    let (code, by) = task.code().await;
    // The process may have been killed before it ended by itself.
    assert!([(6, By::Exit), (137, By::Kill)].contains(&(code, by)), "{code} {by:?}");
    assert_eq!(task.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stopped_process_is_killed_after_the_grace() {
    let task = Task::shell_with("setsid sleep 1000 & kill -STOP $!; echo ready; wait", |d| {
        d.stop_grace = Duration::from_millis(100);
    });
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    assert_eq!(task.alive(), Vec::<String>::new());
}

fn record(task: &Task) -> serde_json::Value {
    let text = fs::read_to_string(task.keeper.dir().join("keeper.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns the directory of a running task's cgroup. `None` if it has none; then the skipped test
/// is reported.
fn cgroup(task: &Task, test: &str) -> Option<PathBuf> {
    let cgroup = record(task)["cgroup"].as_str().map(PathBuf::from);
    if cgroup.is_none() {
        skip(test, "no cgroup can be made here");
    }
    cgroup
}

#[tokio::test]
async fn the_tracking_is_recorded_and_reported() {
    let task = Task::shell("echo ready; sleep 1000");
    task.start().await;
    task.says("ready").await;
    let state = task.keeper.state().await.unwrap();
    let State::Running { tracking: Some(tracking), pid, .. } = state else { panic!("{state:?}") };
    let record = record(&task);
    assert_eq!(record["tracking"], serde_json::to_value(tracking).unwrap());
    assert_eq!(record["cgroup"].is_string(), tracking == Tracking::Cgroup);
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(own.contains("/onward-"), tracking == Tracking::Cgroup, "{own}");
    if is_without_cgroup() {
        assert_ne!(tracking, Tracking::Cgroup);
    }
    let own = fs::read_to_string(format!("/proc/{}/cgroup", task.keeper_pid())).unwrap();
    assert!(!own.contains("/onward-"), "the keeper is in the cgroup of the workload: {own}");
}

#[tokio::test]
async fn a_cgroup_and_its_sub_cgroups_are_removed_with_the_task() {
    let test = "a_cgroup_and_its_sub_cgroups_are_removed_with_the_task";
    let task =
        Task::shell_with("while ! test -e \"$TEST_HOME/go\"; do sleep 0.01; done; exit 5", |d| {
            d.stop_grace = Duration::from_millis(100);
        });
    task.start().await;
    let Some(cgroup) = cgroup(&task, test) else { return };
    fs::create_dir_all(cgroup.join("a/b")).unwrap();
    fs::write(task.path("go"), "").unwrap();
    assert_eq!(task.code().await, (5, By::Exit));
    assert!(!cgroup.exists());
}

#[tokio::test]
async fn processes_in_a_sub_cgroup_of_the_workload_get_the_signal_and_the_grace() {
    let test = "processes_in_a_sub_cgroup_of_the_workload_get_the_signal_and_the_grace";
    let task = served("setsid sh \"$TEST_HOME/server\" a & up a; echo ready; sleep 1000");
    task.start().await;
    task.says("ready").await;
    let Some(cgroup) = cgroup(&task, test) else { return };
    fs::create_dir_all(cgroup.join("a/b")).unwrap();
    // Both the workload and the shell that runs the server.
    for pid in fs::read_to_string(cgroup.join("cgroup.procs")).unwrap().lines() {
        // A short-lived process may have ended.
        let _ = fs::write(cgroup.join("a/b/cgroup.procs"), pid);
    }
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    check_drained(&task, "a");
    assert!(!cgroup.exists());
}

#[tokio::test]
async fn a_frozen_workload_is_killed_after_the_grace() {
    let test = "a_frozen_workload_is_killed_after_the_grace";
    let task = Task::shell_with(
        "trap exit TERM; echo ready; while :; do sleep 0.05; done",
        |definition| {
            definition.stop_grace = Duration::from_millis(100);
        },
    );
    task.start().await;
    task.says("ready").await;
    let Some(cgroup) = cgroup(&task, test) else { return };
    fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let is_frozen =
        || fs::read_to_string(cgroup.join("cgroup.events")).unwrap().contains("frozen 1");
    until("the workload is frozen", is_frozen).await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (137, By::Kill));
    assert_eq!(task.alive(), Vec::<String>::new());
}

/// Starts a daemon without a parent and without a token that ignores `TERM`, and waits.
const HIDDEN: &str = r#"
    (setsid env -i PATH="$PATH" sh -c 'trap "" TERM; echo $$ > "$1.new"; mv "$1.new" "$1"; while :; do sleep 0.05; done' sh "$TEST_HOME/hidden" &)
    while ! test -e "$TEST_HOME/hidden"; do sleep 0.01; done
    echo ready
    while :; do sleep 0.05; done
"#;

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_sweep_of_a_cgroup_finds_a_process_without_parent_and_token() {
    let test = "a_sweep_of_a_cgroup_finds_a_process_without_parent_and_token";
    let task = Task::shell(&format!("trap '' PIPE; {HIDDEN}"));
    task.start().await;
    task.says("ready").await;
    let Some(cgroup) = cgroup(&task, test) else { return };
    let hidden = fs::read_to_string(task.path("hidden")).unwrap();
    fs::create_dir(cgroup.join("a")).unwrap();
    fs::write(cgroup.join("a/cgroup.procs"), hidden.trim()).unwrap();
    fs::write(cgroup.join("a/cgroup.freeze"), "1").unwrap();
    Task::signal(task.keeper_pid(), Signal::KILL);
    assert_eq!(task.end().await, End::Lost);
    assert!(is_running(&hidden), "the process did not outlive its keeper");
    assert!(task.keeper.sweep().await.unwrap() >= 2);
    assert!(!is_running(&hidden));
    assert!(!cgroup.exists());
    assert_eq!(task.keeper.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn a_process_that_was_put_into_the_cgroup_ends_with_the_task() {
    let test = "a_process_that_was_put_into_the_cgroup_ends_with_the_task";
    let task =
        Task::shell_with("while ! test -e \"$TEST_HOME/go\"; do sleep 0.01; done; exit 5", |d| {
            d.stop_grace = GUARD;
        });
    task.start().await;
    let Some(cgroup) = cgroup(&task, test) else { return };
    let stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(cgroup.join("cgroup.procs"), stranger.id().to_string()).unwrap();
    fs::write(task.path("go"), "").unwrap();
    assert_eq!(task.code().await, (5, By::Exit));
    let status = child::ended(stranger).status;
    assert_eq!(status.signal(), Some(15), "it was not ended by TERM");
    assert!(!cgroup.exists());
}

#[test]
fn all_tests_pass_without_a_cgroup() {
    run_again("all_tests_pass_without_a_cgroup");
}
