//! Keepers with real workloads: start, stop and end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use process_agent::keeper::{By, Exit, Spawned, State};
use rustix::process::Signal;
use task::{GUARD, Task};

/// Prints `ready` when it can be signalled, and then runs until a signal kills it.
const RUNS: &str = "echo ready; while :; do sleep 0.05; done";
const IGNORES_TERM: &str = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

async fn check_code(script: &str, code: i32, signal: Option<i32>) {
    let task = Task::shell(script);
    task.start().await;
    let ended = task.ended().await;
    assert_eq!((ended.code, ended.signal, ended.by), (code, signal, By::Exit));
    assert!(ended.started <= ended.finished);
    let state = State::Exited(Exit::Ended(ended));
    assert_eq!(task.keeper.state().await.unwrap(), state);
}

#[tokio::test]
async fn exit_code_0_is_kept() {
    check_code("exit 0", 0, None).await;
}

#[tokio::test]
async fn exit_code_3_is_kept() {
    check_code("exit 3", 3, None).await;
}

#[tokio::test]
async fn a_signal_is_kept_and_the_code_is_128_plus_its_number() {
    check_code("kill -USR1 $$", 138, Some(10)).await;
}

#[tokio::test]
async fn a_stop_sends_the_stop_signal() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
}

#[tokio::test]
async fn a_custom_stop_signal_is_sent_and_the_exit_code_is_kept() {
    let script = "trap 'exit 7' USR2; echo ready; while :; do sleep 0.05; done";
    let task = Task::shell_with(script, |definition| {
        definition.stop_signal = "SIGUSR2".parse().unwrap();
    });
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (7, By::Stop));
}

#[tokio::test]
async fn a_workload_that_ignores_the_stop_signal_is_killed_after_the_grace() {
    let task = Task::shell_with(IGNORES_TERM, |definition| {
        definition.stop_grace = Duration::from_millis(100);
    });
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (137, By::Kill));
}

#[tokio::test]
async fn a_kill_does_not_wait_for_the_grace() {
    let task = Task::shell_with(IGNORES_TERM, |definition| {
        definition.stop_grace = Duration::from_secs(100_000);
    });
    task.start().await;
    task.says("ready").await;
    task.keeper.stop().await.unwrap();
    task.keeper.kill().await.unwrap();
    assert_eq!(task.code().await, (137, By::Kill));
}

#[tokio::test]
async fn a_term_to_the_keeper_stops_the_task_and_a_hup_does_not() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    Task::signal(task.keeper_pid(), Signal::HUP);
    Task::signal(task.keeper_pid(), Signal::TERM);
    assert_eq!(task.code().await, (143, By::Stop));
}

#[tokio::test]
async fn clients_that_do_not_read_block_nothing_and_half_closed_ones_get_the_last_report() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    let connect = || UnixStream::connect(task.keeper.dir().join("control.sock")).unwrap();
    let silent: Vec<_> = (0..10).map(|_| connect()).collect();
    let mut endless = connect();
    endless.write_all(&[b'x'; 10_000]).unwrap();
    let mut half_closed = connect();
    half_closed.shutdown(Shutdown::Write).unwrap();
    task.keeper.stop().await.unwrap();
    assert_eq!(task.code().await, (143, By::Stop));
    half_closed.set_read_timeout(Some(GUARD)).unwrap();
    let mut told = String::new();
    half_closed.read_to_string(&mut told).unwrap();
    assert!(told.lines().last().unwrap().contains("\"state\":\"exited\""), "{told}");
    drop((silent, endless));
}

#[tokio::test]
async fn a_request_of_a_client_that_has_disconnected_is_carried_out() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    let mut client = UnixStream::connect(task.keeper.dir().join("control.sock")).unwrap();
    client.write_all(b"{\"stop\":true}\n").unwrap();
    drop(client);
    assert_eq!(task.code().await, (143, By::Stop));
}

#[tokio::test]
async fn a_keeper_has_at_most_two_threads() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    let waits = (0..5).map(|_| task.keeper.wait());
    let mut waits = std::pin::pin!(futures::future::join_all(waits));
    assert!(poll_once(waits.as_mut()).await.is_none());
    let threads = fs::read_dir(format!("/proc/{}/task", task.keeper_pid())).unwrap().count();
    assert!(threads <= 2, "{threads} threads");
}

#[tokio::test]
async fn stopping_an_ended_task_changes_nothing() {
    let task = Task::shell("exit 4");
    task.start().await;
    assert_eq!(task.code().await, (4, By::Exit));
    task.keeper.stop().await.unwrap();
    task.keeper.kill().await.unwrap();
    assert_eq!(task.keeper.sweep().await.unwrap(), 0);
    assert_eq!(task.code().await, (4, By::Exit));
}

#[tokio::test]
async fn a_task_that_is_not_started_cannot_be_stopped() {
    let task = Task::shell("exit 0");
    assert_eq!(task.keeper.state().await.unwrap(), State::NotStarted);
    let error = task.keeper.stop().await.unwrap_err();
    let dir = task.path("task");
    assert_eq!(
        error.to_string(),
        format!("{} has not been started; spawn its keeper first", dir.display())
    );
}

#[tokio::test]
async fn spawning_again_finds_the_keeper() {
    let task = Task::shell(RUNS);
    task.start().await;
    assert_eq!(task.keeper.spawn().await.unwrap(), Spawned::AlreadyRunning);
    task.keeper.kill().await.unwrap();
    task.end().await;
    assert_eq!(task.keeper.spawn().await.unwrap(), Spawned::AlreadyExited);
}

const LEAVES_A_MARK: &str = "echo started >> \"$TEST_HOME/marks\"; echo ready; sleep 1000";

fn check_started_once(task: &Task) {
    assert_eq!(fs::read_to_string(task.path("marks")).unwrap(), "started\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spawns_at_the_same_time_start_the_workload_once() {
    for _ in 0..5 {
        let task = Task::shell(LEAVES_A_MARK);
        let (one, two) = tokio::join!(task.keeper.spawn(), task.keeper.spawn());
        let mut both = [one.unwrap(), two.unwrap()];
        both.sort_by_key(|spawned| *spawned != Spawned::Started);
        assert_eq!(both, [Spawned::Started, Spawned::AlreadyRunning]);
        task.says("ready").await;
        check_started_once(&task);
    }
}

#[tokio::test]
async fn a_spawn_dropped_at_any_point_and_called_again_starts_the_workload_once() {
    for polls in 0..12 {
        let task = Task::shell(LEAVES_A_MARK);
        {
            let mut spawn = std::pin::pin!(task.keeper.spawn());
            for _ in 0..polls {
                if poll_once(spawn.as_mut()).await.is_some() {
                    break;
                }
            }
        }
        task.keeper.spawn().await.unwrap();
        task.says("ready").await;
        check_started_once(&task);
    }
}

/// Polls once and lets the runtime work for a moment.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    });
    let output = polled.await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    output
}

#[tokio::test]
async fn a_keeper_has_the_name_of_the_program_in_a_list_of_processes() {
    let task = Task::shell(RUNS);
    task.start().await;
    let name = fs::read_to_string(format!("/proc/{}/comm", task.keeper_pid())).unwrap();
    assert_eq!(name, "process-agent\n");
    let name = fs::read_to_string(format!("/proc/{}/comm", task.pid().await)).unwrap();
    assert_eq!(name, "sh\n");
}

#[tokio::test]
async fn the_agent_has_no_children_and_the_keeper_has_its_own_session() {
    let task = Task::shell(RUNS);
    task.start().await;
    let stat = fs::read_to_string(format!("/proc/{}/stat", task.keeper_pid())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<i64> =
        fields.split(' ').skip(1).map(|field| field.trim().parse().unwrap_or(0)).collect();
    assert_ne!(fields[0], i64::from(std::process::id()), "the parent");
    assert_eq!(fields[2], i64::from(task.keeper_pid()), "the session");
}
