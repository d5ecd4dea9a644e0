//! Tasks whose directories are removed, and directories that resist their removal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/nobody.rs"]
mod nobody;
#[path = "support/task.rs"]
mod task;
#[path = "support/without_cgroup.rs"]
mod without_cgroup;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use nobody::as_nobody;
use process_agent::keeper::{By, End, Exit};
use task::{GUARD, Task};

const IGNORES_TERM: &str = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

fn is_running(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Starts a task. Returns its workload and its keeper, too.
async fn running(script: &str, grace: Duration) -> (Task, i32, i32) {
    let task = Task::shell_with(script, |definition| definition.stop_grace = grace);
    task.start().await;
    task.says("ready").await;
    let (workload, keeper) = (task.pid().await, task.keeper_pid());
    (task, workload, keeper)
}

#[tokio::test]
async fn a_task_whose_directory_is_removed_is_stopped() {
    let script = "
        trap 'echo > \"$TEST_HOME/bye\"; exit' TERM
        setsid sleep 1000 &
        echo ready
        while :; do sleep 0.05; done
    ";
    let (task, workload, keeper) = running(script, GUARD).await;
    fs::remove_dir_all(task.keeper.dir()).unwrap();
    let gone = async {
        while is_running(workload) || is_running(keeper) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GUARD, gone).await.expect("the task did not end within the limit");
    assert!(task.path("bye").exists(), "the task was killed without the stop signal");
}

/// While an agent is connected, the keeper leaves the check to it.
#[tokio::test]
async fn a_task_whose_directory_is_removed_while_an_agent_waits_for_it_is_stopped() {
    let (task, workload, keeper) = running("echo ready; sleep 1000", GUARD).await;
    let removal = async {
        let waits = async {
            while !is_connected(keeper) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, waits)
            .await
            .expect("the agent did not connect within the limit");
        fs::remove_dir_all(task.keeper.dir()).unwrap();
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(GUARD, task.keeper.wait()), removal);
    let end = waited.expect("the task did not end within the limit").unwrap();
    let End::Exited(Exit::Ended(ended)) = end else { panic!("{end:?}") };
    assert_eq!(ended.by, By::Stop);
    assert!(!is_running(workload));
}

/// Whether a keeper has a client: a second socket, beside the listening one.
fn is_connected(keeper: i32) -> bool {
    let files = fs::read_dir(format!("/proc/{keeper}/fd")).unwrap();
    let target = files.map(|file| fs::read_link(file.unwrap().path()));
    target.flatten().filter(|target| target.to_string_lossy().starts_with("socket:")).count() > 1
}

#[tokio::test]
async fn a_task_whose_directory_is_renamed_keeps_running() {
    let (mut task, _, keeper) = running("echo ready; while :; do sleep 0.05; done", GUARD).await;
    fs::rename(task.keeper.dir(), task.path("moved")).unwrap();
    // Nothing else wakes it: these are two of its checks.
    let before = wakeups(keeper);
    while wakeups(keeper) < before + 2 {
        tokio::task::yield_now().await;
    }
    task.keeper = task::keeper(task.path("moved"));
    task.keeper.end(true).await.unwrap();
    assert_eq!(task.code().await, (137, By::Kill), "it was stopped before");
}

/// Returns how often the threads of a process have woken up.
fn wakeups(pid: i32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("status")));
    let count = |status: std::io::Result<String>| -> u64 {
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.map_or(0, |count| count.trim().parse().unwrap())
    };
    status.map(count).sum()
}

async fn check_end(script: &str, grace: Duration, force: bool) {
    let (task, workload, keeper) = running(script, grace).await;
    fs::remove_dir_all(task.keeper.dir()).unwrap();
    let ended = tokio::time::timeout(GUARD, task.keeper.end(force)).await;
    ended.expect("the task did not end within the limit").unwrap();
    assert!(!is_running(workload));
    assert!(!is_running(keeper));
}

#[tokio::test]
async fn the_end_of_a_task_without_its_directory_waits_for_the_keeper() {
    check_end(IGNORES_TERM, Duration::from_millis(100), false).await;
}

#[tokio::test]
async fn a_forced_end_of_a_task_without_its_directory_does_not_wait_for_the_grace() {
    check_end(IGNORES_TERM, Duration::from_secs(100_000), true).await;
}

const PROTECTS: &str = r#"
[[task]]
name = "protects"
command = ["sh", "-c", "mkdir -p cache/deep; echo x > cache/deep/f; chmod 555 cache/deep cache; chmod 000 cache; chmod 500 . .."]
"#;

/// As an ordinary user, because root can remove everything.
#[test]
fn files_that_a_workload_has_protected_are_removed_with_its_task() {
    let test = "files_that_a_workload_has_protected_are_removed_with_its_task";
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("process-agent");
    fs::copy(env!("CARGO_BIN_EXE_process-agent"), &program).unwrap();
    fs::write(home.path().join("tasks.toml"), PROTECTS).unwrap();
    let tmp = home.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let mut command = if rustix::process::geteuid().is_root() {
        let Some(mut command) = as_nobody(test) else { return };
        command.arg(&program);
        command
    } else {
        Command::new(&program)
    };
    command.args(["run", "--strict"]).arg(home.path().join("tasks.toml"));
    let run = command.env("TMPDIR", &tmp).current_dir(&tmp).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new(), "{said}");
}

#[test]
fn all_tests_pass_without_a_cgroup() {
    without_cgroup::run_again("all_tests_pass_without_a_cgroup");
}
