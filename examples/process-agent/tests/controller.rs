//! The controller with real processes, driven step by step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/life.rs"]
mod life;

use std::pin::pin;
use std::time::Duration;

use futures::poll;
use life::Life;
use onward::exec::{ErrorKind, LogMessage, LogSubscriptionOptions, ProgressReporter};
use onward::lifecycle::PublishMode;
use onward::{Controller, Executor as _, Outcome, TaskState};
use process_agent::controller::ProcessExecutor;
use process_agent::definition::ProcessDefinition;

/// Runs until a signal kills it.
const RUNS: &str = "echo >> $TEST_HOME/starts; while :; do sleep 0.05; done";
const IGNORES_TERM: &str = "trap '' TERM; echo >> $TEST_HOME/starts; while :; do sleep 0.05; done";

fn definition(script: &str, more: &str) -> ProcessDefinition {
    let script = toml::Value::String(script.to_owned());
    toml::from_str(&format!("command = ['sh', '-c', {script}]\n{more}")).unwrap()
}

#[tokio::test]
async fn a_process_that_exits_with_0_completes() {
    let mut life = Life::shell("exit 0");
    let status = life.end(TaskState::Running).await;
    assert_eq!(
        (status.state, &*status.message, status.err),
        (TaskState::Complete, "finished", None)
    );
}

#[tokio::test]
async fn the_status_has_the_pid_and_ports_of_a_running_process_and_the_exit_code_of_an_ended_one() {
    let ports = "ports = [{ name = 'http', target = 80, published = 8080 }]";
    let mut life = Life::of(definition("echo $$ > $TEST_HOME/pid; read x < $TEST_HOME/go", ports));
    let go = life.path("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    life.reach(TaskState::Running).await;
    life.made("pid").await;
    let container = life.task.container_status().unwrap().clone();
    while life.lines("pid").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(life.lines("pid"), [container.pid.unwrap().to_string()]);
    assert_eq!((container.container_id.as_str(), container.exit_code), ("task", None));
    let port = &life.task.port_status().ports[0];
    assert_eq!((port.name.as_str(), port.target_port, port.published_port), ("http", 80, 8080));
    assert_eq!(port.publish_mode, PublishMode::Host);

    std::fs::write(&go, "x\n").unwrap();
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Complete);
    assert!(status.port_status.is_empty());
    assert_eq!(status.container_status.unwrap().pid, None);
}

async fn check_failure(script: &str, exit_code: i32, err: &str) {
    let mut life = Life::shell(script);
    let status = life.end(TaskState::Running).await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "started"));
    assert_eq!(status.err.as_deref(), Some(err));
    assert_eq!(status.container_status.unwrap().exit_code, Some(exit_code));
}

#[tokio::test]
async fn a_process_that_exits_with_3_has_failed() {
    check_failure("exit 3", 3, "exited with code 3").await;
}

#[tokio::test]
async fn a_process_that_is_killed_by_a_signal_has_failed_with_128_plus_its_number() {
    check_failure("kill -SEGV $$", 139, "was ended by signal 11 (SIGSEGV)").await;
}

#[tokio::test]
async fn a_missing_executable_is_rejected_before_the_start() {
    let mut life = Life::new(&["no-such-program"]);
    let status = life.end(TaskState::Running).await;
    assert_eq!((status.state, &*status.message), (TaskState::Rejected, "preparing"));
    let err = status.err.unwrap_or_default();
    assert!(err.contains("no-such-program"), "{err}");
}

#[tokio::test]
async fn an_executable_that_is_missing_at_the_start_fails_the_task() {
    let mut life = Life::new(&["./program"]);
    let work = life.path("work");
    std::fs::create_dir(&work).unwrap();
    std::fs::copy("/bin/true", work.join("program")).unwrap();
    life.definition.dir = Some(work.clone());
    life.restart();
    life.reach(TaskState::Ready).await;
    std::fs::remove_file(work.join("program")).unwrap();
    let status = life.end(TaskState::Running).await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "starting"));
    let err = status.err.unwrap_or_default();
    assert!(err.contains("cannot start"), "{err}");
}

#[tokio::test]
async fn a_shutdown_sends_the_stop_signal() {
    let script = "trap 'echo bye > $TEST_HOME/bye; exit' HUP; echo > $TEST_HOME/up; while :; do sleep 0.05; done";
    let mut life = Life::of(definition(script, "stop_signal = 'HUP'"));
    life.reach(TaskState::Running).await;
    life.made("up").await;
    let status = life.end(TaskState::Shutdown).await;
    assert_eq!((status.state, &*status.message), (TaskState::Shutdown, "shutdown"));
    assert_eq!(life.lines("bye"), ["bye"]);
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn a_shutdown_kills_the_process_after_the_grace() {
    let mut life = Life::of(definition(IGNORES_TERM, "stop_grace = '100ms'"));
    life.reach(TaskState::Running).await;
    life.made("starts").await;
    let status = life.end(TaskState::Shutdown).await;
    assert_eq!(status.state, TaskState::Shutdown);
    assert_eq!(status.container_status.unwrap().exit_code, Some(137));
}

#[tokio::test]
async fn terminate_does_not_wait_for_the_grace() {
    let mut life = Life::of(definition(IGNORES_TERM, "stop_grace = '1h'"));
    life.reach(TaskState::Running).await;
    life.made("starts").await;
    life.controller.terminate().await.unwrap();
    assert_eq!(life.controller.wait().await.unwrap_err().exit_code(), Some(137));
}

#[tokio::test]
async fn a_task_that_never_started_can_be_shut_down_terminated_and_removed() {
    for state in [TaskState::Accepted, TaskState::Ready] {
        let mut life = Life::shell(RUNS);
        life.reach(state).await;
        life.controller.shutdown().await.unwrap();
        life.controller.shutdown().await.unwrap();
        life.controller.terminate().await.unwrap();
        life.controller.remove().await.unwrap();
        life.controller.remove().await.unwrap();
        assert_eq!(std::fs::read_dir(life.home.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn remove_without_shutdown_leaves_nothing() {
    let mut life = Life::shell(&format!("setsid sleep 1000 & {RUNS}"));
    life.reach(TaskState::Running).await;
    life.made("starts").await;
    life.controller.remove().await.unwrap();
    assert_eq!(life.alive(), [""; 0]);
    assert!(!life.path("task").exists());
}

#[tokio::test]
async fn a_prepare_command_runs_once_if_prepare_is_dropped_at_any_point() {
    let more = "prepare = ['sh', '-c', 'echo >> $TEST_HOME/prepared; sleep 0.1']";
    let mut life = Life::of(definition("exit 0", more));
    life.reach(TaskState::Preparing).await;
    for _ in 0..50 {
        let mut prepare = pin!(life.controller.prepare());
        _ = tokio::time::timeout(Duration::from_millis(3), &mut prepare).await;
    }
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Complete);
    assert_eq!(life.lines("prepared").len(), 1);
}

#[tokio::test]
async fn a_start_that_is_dropped_at_any_point_starts_the_process_once() {
    let mut life = Life::shell("echo >> $TEST_HOME/starts; sleep 0.1");
    life.reach(TaskState::Starting).await;
    for _ in 0..50 {
        let mut start = pin!(life.controller.start());
        _ = tokio::time::timeout(Duration::from_millis(1), &mut start).await;
    }
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Complete);
    assert_eq!(life.lines("starts").len(), 1);
}

#[tokio::test]
async fn a_shutdown_after_a_dropped_start_leaves_no_process() {
    for microseconds in [0, 100, 300, 1000, 2000, 3000, 5000] {
        let mut life = Life::shell(RUNS);
        life.reach(TaskState::Starting).await;
        let start = life.controller.start();
        _ = tokio::time::timeout(Duration::from_micros(microseconds), start).await;
        assert_eq!(life.end(TaskState::Shutdown).await.state, TaskState::Shutdown);
        // A keeper that starts late finds the task barred, and so does another start.
        assert!(!life.controller.wait().await.unwrap_err().is_temporary());
        _ = life.controller.start().await;
        assert_eq!(life.alive(), [""; 0]);
    }
}

#[tokio::test]
async fn a_wait_after_a_dropped_one_returns_the_same_result() {
    let mut life = Life::shell("exit 3");
    life.reach(TaskState::Running).await;
    for _ in 0..3 {
        // Drop it after one poll, even if that was its end.
        _ = poll!(pin!(life.controller.wait()));
        assert_eq!(life.controller.wait().await.unwrap_err().exit_code(), Some(3));
    }
}

#[tokio::test]
async fn a_start_without_free_descriptors_is_retried() {
    use onward::{Assignment, Executor};
    use process_agent::controller::ProcessExecutor;
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("program");
    let agent = env!("CARGO_BIN_EXE_process-agent");
    let script = format!(
        "#!/bin/sh\ntest -e {}/enough || ulimit -n 5\nexec {agent} \"$@\"\n",
        home.path().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let executor = ProcessExecutor::new(home.path()).with_program(&program);
    let assignment = Assignment::new("task", ProcessDefinition::new(["true"]));
    let mut controller = executor.controller(&assignment).await.unwrap();
    controller.prepare().await.unwrap();
    for _ in 0..2 {
        let error = controller.start().await.unwrap_err();
        assert!(error.to_string().contains("Too many open files"), "{error}");
        assert!(error.is_temporary(), "{error}");
    }
    std::fs::write(home.path().join("enough"), "").unwrap();
    controller.start().await.unwrap();
    controller.wait().await.unwrap();
    controller.remove().await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_being_written_is_started_after_it_is_closed() {
    let mut life = Life::new(&["./program"]);
    let work = life.path("work");
    std::fs::create_dir(&work).unwrap();
    std::fs::copy("/bin/true", work.join("program")).unwrap();
    life.definition.dir = Some(work.clone());
    life.definition.prepare = Some(vec!["./program".to_owned()]);
    life.restart();
    life.reach(TaskState::Preparing).await;
    for state in [TaskState::Preparing, TaskState::Starting] {
        let open = std::fs::OpenOptions::new().append(true).open(work.join("program")).unwrap();
        for _ in 0..2 {
            assert_eq!(life.step(TaskState::Running).await, Outcome::Retry);
            let err = "cannot start \"./program\": Text file busy (os error 26)";
            assert_eq!((life.task.state(), life.task.err()), (state, Some(err)));
        }
        drop(open);
        assert_eq!(life.step(TaskState::Running).await, Outcome::Advanced);
        if state == TaskState::Preparing {
            life.reach(TaskState::Starting).await;
        }
    }
    assert_eq!(life.end(TaskState::Running).await.state, TaskState::Complete);
}

#[tokio::test]
async fn a_temporarily_refused_start_is_not_repeated_after_a_shutdown() {
    let mut life = Life::new(&["./program"]);
    let work = life.path("work");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("program"), "#!/bin/sh\necho >> $TEST_HOME/starts\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(work.join("program"), mode).unwrap();
    life.definition.dir = Some(work.clone());
    life.restart();
    life.reach(TaskState::Starting).await;
    let open = std::fs::OpenOptions::new().append(true).open(work.join("program")).unwrap();
    assert_eq!(life.step(TaskState::Running).await, Outcome::Retry);
    drop(open);
    life.controller.shutdown().await.unwrap();
    let error = life.controller.start().await.unwrap_err();
    assert_eq!(error.to_string(), "the task was ended before it was started");
    assert_eq!(life.lines("starts"), [""; 0]);
}

/// Changes the directory of a running task while no agent runs, and checks the end.
async fn check_gone(script: &str, change: impl FnOnce(&Life)) {
    let mut life = Life::shell(script);
    life.reach(TaskState::Running).await;
    life.made("starts").await;
    let dir = life.path("task");
    change(&life);
    life.restart();
    let ended = tokio::time::timeout(Duration::from_secs(60), life.end(TaskState::Running));
    let status = ended.await.expect("the end was not noticed within 60 s");
    assert_eq!(status.state, TaskState::Failed);
    let dir = dir.display();
    let err = format!(
        "the directory {dir} was removed, moved or replaced, and with it what is known of the task"
    );
    assert_eq!(status.err.as_deref(), Some(&*err));
    let container = status.container_status.unwrap();
    assert_eq!((container.pid, container.exit_code), (None, None));
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn a_task_whose_directory_was_removed_fails_and_its_processes_end() {
    check_gone(RUNS, |life| std::fs::remove_dir_all(life.path("task")).unwrap()).await;
}

#[tokio::test]
async fn a_task_whose_directory_was_moved_fails_and_its_processes_end() {
    check_gone(RUNS, |life| std::fs::rename(life.path("task"), life.path("moved")).unwrap()).await;
}

#[tokio::test]
async fn a_task_whose_directory_was_replaced_fails_and_its_processes_end() {
    check_gone(RUNS, |life| {
        std::fs::rename(life.path("task"), life.path("moved")).unwrap();
        std::fs::create_dir(life.path("task")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_task_whose_prepare_command_lost_its_directory_is_rejected() {
    // The keeper has already written all the files of its start.
    let removes = "until grep -q workload.:{ keeper.json; do sleep 0.01; done; rm -r ../prepare";
    let more = format!("prepare = ['sh', '-c', 'cd ../prepare; {removes}; sleep 1000']");
    let mut life = Life::of(definition("exit 0", &more));
    let ended = tokio::time::timeout(Duration::from_secs(60), life.end(TaskState::Running));
    let status = ended.await.expect("the end was not noticed within 60 s");
    assert_eq!(status.state, TaskState::Rejected);
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn the_lines_of_a_prepare_command_are_reported_as_progress() {
    let wait = "while ! test -e $TEST_HOME/go; do sleep 0.01; done";
    let more = format!("prepare = ['sh', '-c', 'echo layer 3 of 7; {wait}']");
    let mut life = Life::of(definition("exit 0", &more));
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    life.controller.set_progress(ProgressReporter::new(move |line| _ = sender.send(line)));
    let go = life.path("go");
    let first_line = async {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.recv());
        let line = line.await.expect("no progress was reported within 60 s");
        std::fs::write(go, "").unwrap();
        line
    };
    let (prepared, line) = tokio::join!(life.controller.prepare(), first_line);
    prepared.unwrap();
    assert_eq!(line.as_deref(), Some("layer 3 of 7"));
}

#[tokio::test]
async fn a_prepare_command_that_exits_with_75_is_retried() {
    let more = "prepare = ['sh', '-c', 'echo >> tries; test $(wc -l < tries) -ge 3 || { echo busy >&2; exit 75; }']";
    let mut life = Life::of(definition("exit 0", more));
    life.reach(TaskState::Preparing).await;
    for _ in 0..2 {
        assert_eq!(life.step(TaskState::Running).await, Outcome::Retry);
        assert_eq!(life.task.err(), Some("the prepare command asks to be tried again: busy"));
    }
    assert_eq!(life.end(TaskState::Running).await.state, TaskState::Complete);
}

#[tokio::test]
async fn a_prepare_command_that_fails_rejects_the_task() {
    let more = "prepare = ['sh', '-c', 'echo no such image >&2; exit 4']";
    let mut life = Life::of(definition("exit 0", more));
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Rejected);
    assert_eq!(
        status.err.as_deref(),
        Some("the prepare command exited with code 4: no such image")
    );
}

#[tokio::test]
async fn a_shutdown_ends_a_prepare_command() {
    let more = "prepare = ['sh', '-c', 'echo > $TEST_HOME/preparing; sleep 1000']";
    let mut life = Life::of(definition("exit 0", more));
    life.reach(TaskState::Preparing).await;
    {
        let mut prepare = pin!(life.controller.prepare());
        while !life.home.path().join("preparing").exists() {
            assert!(poll!(&mut prepare).is_pending());
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(life.end(TaskState::Shutdown).await.state, TaskState::Shutdown);
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn a_process_is_running_when_its_readiness_command_succeeds() {
    let more = "ready = { command = ['test', '-e', 'up'], interval = '10ms' }";
    let script = "while ! test -e $TEST_HOME/go; do sleep 0.01; done; touch up; sleep 1000";
    let mut life = Life::of(definition(script, more));
    life.reach(TaskState::Starting).await;
    {
        let mut start = pin!(life.controller.start());
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut start).await.is_err());
        std::fs::write(life.home.path().join("go"), "").unwrap();
        start.await.unwrap();
    }
    life.reach(TaskState::Running).await;
}

#[tokio::test]
async fn a_process_is_running_when_its_port_accepts_a_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let more = format!("ready = {{ tcp = '{address}', interval = '10ms' }}");
    let mut life = Life::of(definition("sleep 1000", &more));
    life.reach(TaskState::Running).await;

    drop(listener);
    let more = format!("ready = {{ tcp = '{address}', interval = '10ms', timeout = '50ms' }}");
    let mut life = Life::of(definition("sleep 1000", &more));
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Failed);
    let err = format!("not ready within 50ms: {address}: Connection refused (os error 111)");
    assert_eq!(status.err.as_deref(), Some(&*err));
    assert_eq!(life.alive(), [""; 0], "the process was not stopped");
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_has_failed_with_its_exit_code() {
    for code in [0, 3] {
        let ready = "ready = { command = ['false'], interval = '10ms' }";
        let mut life = Life::of(definition(&format!("exit {code}"), ready));
        let status = life.end(TaskState::Running).await;
        assert_eq!((status.state, &*status.message), (TaskState::Failed, "starting"));
        let err = format!("ended before it was ready: exited with code {code}");
        assert_eq!(status.err.as_deref(), Some(&*err));
        assert_eq!(status.container_status.unwrap().exit_code, Some(code));
    }
}

#[tokio::test]
async fn another_instance_continues_a_task_in_any_state() {
    let mut life = Life::shell("echo >> $TEST_HOME/starts; read x < $TEST_HOME/go; exit 5");
    let go = life.path("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    for state in [TaskState::Preparing, TaskState::Ready, TaskState::Starting, TaskState::Running] {
        life.reach(state).await;
        life.restart();
    }
    // It starts nothing twice, whichever operation is called.
    life.controller.start().await.unwrap();
    let prepared = life.controller.prepare().await.unwrap_err();
    assert_eq!(prepared.kind(), ErrorKind::AlreadyPrepared);
    std::fs::write(&go, "x\n").unwrap();
    // No instance was waiting when it ended, but its exit code is known.
    let status = life.end(TaskState::Running).await;
    assert_eq!(
        (status.state, status.container_status.unwrap().exit_code),
        (TaskState::Failed, Some(5))
    );
    assert_eq!(life.lines("starts").len(), 1);
}

#[tokio::test]
async fn the_exit_code_of_a_process_whose_keeper_was_killed_is_unknown_and_no_process_is_left() {
    let mut life = Life::shell(&format!("setsid sleep 1000 & {RUNS}"));
    life.reach(TaskState::Running).await;
    life.made("starts").await;
    let keeper = std::fs::read_to_string(life.path("task/keeper.json")).unwrap();
    let keeper: serde_json::Value = serde_json::from_str(&keeper).unwrap();
    let pid = keeper["keeper"]["pid"].as_i64().unwrap().try_into().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(status.err.as_deref(), Some("its keeper was killed, so its exit code is unknown"));
    let container = status.container_status.unwrap();
    assert_eq!((container.pid, container.exit_code), (None, None));
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn after_close_every_operation_fails() {
    let mut life = Life::shell("exit 0");
    life.reach(TaskState::Running).await;
    let controller = &mut life.controller;
    controller.close().await.unwrap();
    let definition = life.definition.clone();
    let answers = [
        controller.update(&definition).await,
        controller.prepare().await,
        controller.start().await,
        controller.wait().await,
        controller.shutdown().await,
        controller.terminate().await,
        controller.remove().await,
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Closed);
    }
    // The workload may belong to another instance by now.
    life.restart();
    assert_eq!(life.end(TaskState::Running).await.state, TaskState::Complete);
}

#[tokio::test]
async fn a_definition_can_be_changed_until_the_process_has_started() {
    let mut life = Life::shell("exit 3");
    life.reach(TaskState::Ready).await;
    let changed = ProcessDefinition { command: vec!["true".to_owned()], ..life.definition.clone() };
    life.controller.update(&changed).await.unwrap();
    life.reach(TaskState::Running).await;
    let refused = life.controller.update(&life.definition).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UpdateRejected);
    life.controller.update(&changed).await.unwrap();
    assert_eq!(life.end(TaskState::Running).await.state, TaskState::Complete);
}

/// Reads a task's log with these options.
async fn read(life: &Life, options: LogSubscriptionOptions) -> Vec<LogMessage> {
    let mut messages = Vec::new();
    let publisher = |message: LogMessage| {
        messages.push(message);
        std::future::ready(Ok(()))
    };
    life.controller.logs().unwrap().logs(publisher, options).await.unwrap();
    messages
}

/// Returns the lines. A message contains the lines that were read at once.
fn texts(messages: &[LogMessage]) -> Vec<String> {
    let lines = messages.iter().flat_map(|message| message.data.split_inclusive(|b| *b == b'\n'));
    lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

#[tokio::test]
async fn logs_are_followed_while_wait_is_in_flight_until_the_process_ends() {
    let mut life = Life::shell("echo one; read x < $TEST_HOME/go; echo two >&2; printf three");
    let go = life.path("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    life.reach(TaskState::Running).await;
    let logs = life.controller.logs().unwrap();
    let mut said = Vec::new();
    let publisher = |message: LogMessage| {
        if said.is_empty() {
            std::fs::write(&go, "x\n").unwrap();
        }
        said.push(message);
        std::future::ready(Ok(()))
    };
    let follow = logs.logs(publisher, LogSubscriptionOptions::follow());
    let (waited, followed) = tokio::join!(life.controller.wait(), follow);
    waited.unwrap();
    followed.unwrap();
    assert_eq!(texts(&said), ["one\n", "two\n", "three"]);
    assert!(said.iter().all(|message| message.timestamp.is_some()));
}

#[tokio::test]
async fn logs_are_read_from_the_end_from_a_time_and_by_stream() {
    let script = "for i in 1 2 3 4 5; do echo $i; done; read x < $TEST_HOME/go; echo 6 >&2";
    let mut life = Life::shell(script);
    let go = life.path("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    life.reach(TaskState::Running).await;
    // Lines that are read together have the same time.
    let are_read = async {
        while texts(&read(&life, LogSubscriptionOptions::default()).await).len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), are_read)
        .await
        .expect("the log does not have five lines within the limit");
    std::fs::write(&go, "x\n").unwrap();
    life.end(TaskState::Running).await;
    let all = read(&life, LogSubscriptionOptions::default()).await;
    assert_eq!(texts(&all), ["1\n", "2\n", "3\n", "4\n", "5\n", "6\n"]);
    let tail = read(&life, LogSubscriptionOptions::default().with_tail(2)).await;
    assert_eq!(texts(&tail), ["5\n", "6\n"]);
    let since = all.last().unwrap().timestamp.unwrap();
    let since = read(&life, LogSubscriptionOptions::default().with_since(since)).await;
    assert_eq!(texts(&since), ["6\n"]);
    let mut options = LogSubscriptionOptions::default();
    options.tail = onward::exec::LogTail::Skip(4);
    assert_eq!(texts(&read(&life, options).await), ["5\n", "6\n"]);
    let stderr = LogSubscriptionOptions::default().with_stream(onward::exec::LogStream::Stderr);
    assert_eq!(texts(&read(&life, stderr).await), ["6\n"]);
}

#[tokio::test]
async fn an_id_that_cannot_be_the_name_of_a_directory_is_refused() {
    use onward::{Assignment, Executor};
    use process_agent::controller::ProcessExecutor;
    for id in ["../up", "", "a/b", "."] {
        let assignment = Assignment::new(id, ProcessDefinition::new(["true"]));
        let error = ProcessExecutor::new("/").controller(&assignment).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{id:?} cannot be a directory's name"));
    }
}

#[tokio::test]
async fn tasks_that_are_left_are_listed_and_can_be_ended_by_name_alone() {
    let mut life = Life::shell(IGNORES_TERM);
    life.reach(TaskState::Running).await;
    std::fs::create_dir(life.path(".half-removed.removing")).unwrap();
    std::fs::write(life.path("a-file"), "").unwrap();
    let executor = ProcessExecutor::new(life.home.path());
    assert_eq!(executor.list().await.unwrap(), ["half-removed", "task"]);
    for id in executor.list().await.unwrap() {
        executor.reconcile(&id).await.unwrap();
    }
    assert_eq!(executor.list().await.unwrap(), [""; 0]);
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_an_error_and_not_an_empty_list() {
    let home = tempfile::TempDir::new().unwrap();
    let error = ProcessExecutor::new(home.path().join("away")).list().await.unwrap_err();
    assert!(error.is_temporary());
    let error = error.to_string();
    assert!(error.starts_with("cannot read ") && error.ends_with("away"), "{error}");
}
