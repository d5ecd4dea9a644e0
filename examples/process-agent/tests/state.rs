//! An agent with a state: killed and restarted, with a changing task file, and asked by clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use agent::{Home, RUNS, child, task, text};
use rustix::process::{Pid, Signal, kill_process};

/// Waits for a line in this file, and exits with that code.
fn exits_when_told(name: &str) -> String {
    task(name, &format!("while ! read x < $TEST_HOME/{name}.go; do sleep 0.01; done; exit $x"))
}

fn tell(home: &Home, name: &str, code: i32) {
    fs::write(home.path(&format!("{name}.new")), format!("{code}\n")).unwrap();
    let go = home.path(&format!("{name}.go"));
    fs::rename(home.path(&format!("{name}.new")), go).unwrap();
}

#[test]
fn after_a_kill_running_tasks_are_found_again_and_ended_ones_have_their_exit_codes() {
    let tasks = [task("web", RUNS), exits_when_told("now"), exits_when_told("later")].concat();
    let mut home = Home::new(&tasks);
    home.up(&[]);
    for name in ["web", "now", "later"] {
        home.until(name, "running");
    }
    let (pid, created) = (home.pid("web"), home.task("web").unwrap()["CreatedAt"].take());
    home.kill();
    tell(&home, "now", 7);
    home.wait(|home| !home.alive().iter().any(|(_, line)| line.contains("now")));
    home.up(&[]);
    home.until("now", "failed");
    assert_eq!(home.task("now").unwrap()["Status"]["ContainerStatus"]["ExitCode"], 7);
    assert_eq!((home.state("web").as_str(), home.pid("web")), ("running", pid));
    // `stop_after` counts from here.
    assert_eq!(home.task("web").unwrap()["CreatedAt"], created);
    tell(&home, "later", 0);
    home.until("later", "complete");
    for name in ["web", "now", "later"] {
        assert_eq!(home.starts(name), 1, "{name}");
    }
}

#[test]
fn an_exit_code_is_unknown_only_if_the_keeper_was_killed_too() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    home.kill();
    for (pid, _) in home.alive().iter().filter(|(_, line)| line.contains("--keep")) {
        kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL).unwrap();
    }
    home.up(&[]);
    home.until("web", "failed");
    let status = home.task("web").unwrap()["Status"].take();
    let error = status["Err"].to_string();
    assert!(error.contains("exit code is unknown"), "{error}");
    // An unknown value is not shown as 0.
    assert_eq!(status["ContainerStatus"], serde_json::json!({ "ContainerID": "web" }));
    let table = home.ask(&["ps"]);
    let cells: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((cells[1], cells[3], cells[4]), ("failed", "running", "its"), "{table}");
    assert_eq!((home.alive(), home.starts("web")), (Vec::new(), 1));
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let mut home = Home::new(&[task("stays", RUNS), task("goes", RUNS)].concat());
    home.up(&[]);
    home.until("stays", "running");
    home.until("goes", "running");
    let pid = home.pid("stays");
    let ready = "desired = 'ready'\n";
    home.save(&[&task("stays", RUNS), &task("comes", RUNS), &*task("waits", RUNS), ready].concat());
    home.until("comes", "running");
    home.until("waits", "ready");
    home.wait(|home| home.task("goes").is_none());
    assert_eq!(home.pid("stays"), pid);
    // As an editor saves a file.
    fs::write(home.path("new.toml"), task("stays", RUNS) + &task("waits", RUNS)).unwrap();
    fs::rename(home.path("new.toml"), home.path("tasks.toml")).unwrap();
    home.until("waits", "running");
    home.wait(|home| home.task("comes").is_none());
    let tasks = [task("stays", RUNS), task("waits", RUNS), task("goes", RUNS)];
    home.save(&tasks.concat());
    home.until("goes", "running");
    assert_eq!((home.starts("stays"), home.starts("goes")), (1, 2));
}

#[test]
fn a_task_that_is_deleted_from_the_file_is_shut_down_and_removed() {
    let script = "trap 'echo > $TEST_HOME/asked; while ! test -e $TEST_HOME/go; do sleep 0.01; done; exit 0' TERM";
    let mut home = Home::new(&task("web", &format!("{script}; {RUNS}")));
    home.up(&[]);
    home.until("web", "running");
    home.save("task = []\n");
    home.wait(|home| home.path("asked").exists());
    // Added again, it is a new task, which waits for the end of the first one.
    home.save(&[task("web", RUNS), task("other", RUNS)].concat());
    home.until("other", "running");
    assert_eq!(
        (home.starts("web"), home.task("web").unwrap()["DesiredState"].as_str()),
        (1, Some("shutdown"))
    );
    fs::write(home.path("go"), "").unwrap();
    home.wait(|home| home.starts("web") == 2);
    home.until("web", "running");
    assert_eq!(home.task("web").unwrap()["DesiredState"], "running");
}

#[test]
fn an_invalid_file_changes_nothing_and_is_reported_until_it_is_valid() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    for (bad, why) in [
        (
            "[[task]]\nname = 'x'\ncolor = 'red'\n".to_owned(),
            "tasks.toml:3:1: task[0]: unknown key",
        ),
        (task("x", RUNS) + &task("x", RUNS), "the name \"x\" is already used at tasks.toml:2:"),
        (String::new(), "tasks.toml:1:1: there is no task in it"),
    ] {
        home.save(&bad);
        home.wait(|home| home.read("out").contains(why));
        assert_eq!(home.state("web"), "running");
    }
    fs::remove_file(home.path("tasks.toml")).unwrap();
    home.wait(|home| home.read("out").contains("cannot read the task file"));
    home.save(&[task("web", RUNS), task("new", RUNS)].concat());
    home.until("new", "running");
    home.wait(|home| home.read("out").contains("resolved: tasks.toml: cannot read the task file"));
    assert_eq!(home.starts("web"), 1);
    home.save("task = []\n");
    home.wait(|home| home.ps() == Some(Vec::new()));
    assert_eq!(home.alive(), []);
}

#[test]
fn a_hangup_makes_the_agent_read_the_file_again() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    // The agent does not check the time of this file.
    fs::write(home.path("other.toml"), task("other", RUNS)).unwrap();
    fs::remove_file(home.path("tasks.toml")).unwrap();
    home.wait(|home| home.read("out").contains("cannot read the task file"));
    std::os::unix::fs::symlink("other.toml", home.path("tasks.toml")).unwrap();
    home.signal(Signal::HUP);
    home.until("other", "running");
}

#[test]
fn a_change_of_a_running_process_is_refused_and_shown_until_the_process_has_ended() {
    let script = "while ! test -e $TEST_HOME/go; do sleep 0.05; done; exit 3";
    let mut home = Home::new(&task("web", script));
    home.up(&[]);
    home.until("web", "running");
    let pid = home.pid("web");
    home.save(&task("web", &format!("{script} # changed")));
    home.wait(|home| home.ask(&["ps"]).contains("its change was refused"));
    home.wait(|home| home.read("out").contains("its change was refused"));
    assert_eq!((home.state("web").as_str(), home.pid("web")), ("running", pid));
    fs::write(home.path("go"), "").unwrap();
    // How it has ended comes first.
    home.wait(|home| home.ask(&["ps"]).contains("exited with code 3; it has ended, so its change"));
}

#[test]
fn a_second_agent_on_the_same_state_is_refused_and_the_first_keeps_running() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    let error = home.refused(&["run", "tasks.toml"]);
    assert!(error.contains("state: another agent runs on this state; stop it first"), "{error}");
    assert_eq!((home.state("web").as_str(), home.starts("web")), ("running", 1));
}

#[test]
fn a_client_gets_an_error_if_no_agent_runs() {
    let mut home = Home::new(&task("web", RUNS));
    let no_agent = "process-agent: no agent runs on state; start one with: \
                    process-agent run FILE --state state\n";
    assert_eq!(home.refused(&["ps"]), no_agent);
    home.up(&[]);
    home.kill();
    assert!(home.path("state/agent.sock").exists(), "a killed agent did not leave its socket");
    assert_eq!(home.refused(&["stop", "web"]), no_agent);
    home.up(&[]);
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
    assert!(!home.path("state/agent.sock").exists());
    assert_eq!(home.refused(&["logs", "web"]), no_agent);
}

#[test]
fn the_state_is_accessible_only_to_its_owner() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    let mode = |name| fs::metadata(home.path(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/tasks")), (0o700, 0o700));
    assert_eq!((mode("state/agent.sock"), mode("state/tasks.redb")), (0o600, 0o600));
    fs::create_dir(home.path("open")).unwrap();
    fs::set_permissions(home.path("open"), Permissions::from_mode(0o755)).unwrap();
    let error = home.refused(&["run", "tasks.toml", "--state", "open"]);
    assert!(error.contains("this one has the mode 755; chmod 700 it"), "{error}");
    assert_eq!(fs::read_dir(home.path("open")).unwrap().count(), 0);
}

#[test]
fn a_state_can_have_a_path_that_is_longer_than_a_socket_address() {
    let mut home = Home::new(&task("web", RUNS));
    let dir = ["a-long-name"; 20].join("/");
    home.start(&["--state", &dir]);
    home.wait(|home| home.output(&["ps", "--state", &dir]).status.success());
    assert!(home.ask(&["ps", "--state", &dir]).contains("web"));
}

#[test]
fn a_table_has_a_line_for_each_task() {
    let tasks = [task("web", RUNS), task("bad", "exit 3"), task("odd", "exit 0")].concat();
    let mut home = Home::new(&tasks);
    home.up(&[]);
    home.until("web", "running");
    home.until("bad", "failed");
    home.until("odd", "complete");
    let table = home.ask(&["ps"]);
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATE", "FOR", "DESIRED", "PID", "EXIT", "DETAILS", "ERROR"]);
    assert_eq!((lines[1][0], lines[1][1], lines[1][4]), ("bad", "failed", "3"));
    assert!(table.contains("exited with code 3"), "{table}");
    assert_eq!((lines[2][0], lines[2][1], lines[2][4]), ("odd", "complete", "0"));
    let details = format!("tracking={}", tracking(&home, "web").as_str().unwrap());
    assert_eq!(
        (lines[3][0], lines[3][1], lines[3][4], lines[3][5]),
        ("web", "running", &*home.pid("web").to_string(), &*details)
    );
    assert_eq!(lines.len(), 4);
}

/// Returns the tracking that the keeper of a task has recorded.
fn tracking(home: &Home, name: &str) -> serde_json::Value {
    let record = home.read(&format!("state/tasks/{name}/keeper.json"));
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert!(record["tracking"].is_string(), "{record}");
    record["tracking"].clone()
}

#[test]
fn the_json_has_the_form_of_the_engine_api() {
    let more = "env = { A = '1' }\nstop_signal = 'INT'\nstop_grace = '2s'\n";
    let mut home = Home::new(&(task("web", RUNS) + more));
    home.up(&[]);
    home.until("web", "running");
    let mut web = home.task("web").unwrap();
    let container = web["Status"].as_object_mut().unwrap();
    assert!(container.remove("Timestamp").unwrap().as_str().unwrap().ends_with('Z'));
    assert_eq!(container["ContainerStatus"]["ContainerID"], "web");
    container.remove("ContainerStatus");
    assert!(web["UpdatedAt"].as_str().unwrap().starts_with("20"));
    web.as_object_mut().unwrap().remove("UpdatedAt");
    let created = web.as_object_mut().unwrap().remove("CreatedAt").unwrap();
    assert!(created.as_str().unwrap().starts_with("20"), "{created}");
    let command = web["Spec"]["ContainerSpec"].as_object_mut().unwrap().remove("Command").unwrap();
    assert_eq!(command[0], "sh");
    let expected = serde_json::json!({
        "ID": "web",
        "Version": { "Index": 1 },
        "Name": "web",
        "Labels": {},
        "Spec": { "ContainerSpec": {
            "Env": ["A=1"], "StopSignal": "SIGINT", "StopGracePeriod": 2_000_000_000_u64
        } },
        "Status": { "State": "running", "Message": "started", "PortStatus": {} },
        "DesiredState": "running",
        "Details": { "tracking": tracking(&home, "web") }
    });
    assert_eq!(web, expected);
}

#[test]
fn logs_are_shown_as_they_were_written() {
    let script =
        "echo one; echo two >&2; printf 'thr\\\\377ee'; printf done > $TEST_HOME/said; exit 1";
    let mut home = Home::new(&(task("a", script) + &task("b", "echo from b")));
    home.up(&[]);
    home.until("a", "failed");
    home.until("b", "complete");
    let all = home.output(&["logs", "a"]);
    assert_eq!((&*all.stdout, &*all.stderr), (&b"one\nthr\xffee"[..], &b"two\n"[..]));
    let last = home.output(&["logs", "--tail", "1", "a"]);
    assert_eq!((&*last.stdout, &*last.stderr), (&b"thr\xffee"[..], &b""[..]));
    let both = home.output(&["logs", "-f", "a", "b"]);
    let mut lines: Vec<_> = text(&both.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a | one", "a | thr\u{fffd}ee", "b | from b"]);
    assert_eq!(text(&both.stderr), "a | two\n");
    assert_eq!(home.ask(&["logs", "--since", "2999-01-01T00:00:00Z", "a"]), "");
    assert_eq!(home.ask(&["logs", "--since", "1h", "b"]), "from b\n");
    let error = home.refused(&["logs", "c", "a"]);
    assert_eq!(error, "process-agent: there is no task \"c\"; the tasks are a, b\n");
    let error = home.refused(&["logs", "--since", "soon", "a"]);
    assert!(error.contains("neither a time like 2026-11-22T08:33:59Z nor a duration"), "{error}");
}

#[test]
fn logs_are_followed_until_the_task_has_ended() {
    let script = "echo up; while ! test -e $TEST_HOME/go; do sleep 0.01; done; echo down";
    let mut home = Home::new(&task("web", script));
    home.up(&[]);
    let mut command = home.command(&["logs", "-f", "web"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(follower.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    fs::write(home.path("go"), "").unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "down\n");
    assert!(child::ended(follower).status.success());
}

#[test]
fn followed_logs_end_with_an_error_when_the_agent_ends() {
    let mut home = Home::new(&task("web", &format!("echo up; {RUNS}")));
    home.up(&[]);
    let mut command = home.command(&["logs", "-f", "web"]);
    let mut follower = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(follower.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    home.kill();
    let output = child::ended(follower);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "process-agent: the agent on state ended before its answer was complete\n"
    );
}

#[test]
fn a_stopped_task_stays_stopped_with_any_file() {
    let mut home = Home::new(&[task("web", RUNS), task("other", RUNS)].concat());
    home.up(&[]);
    home.until("web", "running");
    assert_eq!(home.ask(&["stop", "--wait", "web"]), "");
    assert_eq!(home.state("web"), "shutdown");
    let error = home.refused(&["stop", "nothing"]);
    assert_eq!(error, "process-agent: there is no task \"nothing\"; the tasks are web, other\n");
    home.kill();
    home.up(&[]);
    home.until("other", "running");
    home.save(&[task("web", RUNS), task("new", RUNS)].concat());
    home.until("new", "running");
    assert_eq!((home.state("web").as_str(), home.starts("web")), ("shutdown", 1));
    assert!(!home.read("out").contains("lower"), "{}", home.read("out"));
    // Deleted from the file and added again, it starts again.
    home.save(&task("new", RUNS));
    home.wait(|home| home.task("web").is_none());
    home.save(&[task("web", RUNS), task("new", RUNS)].concat());
    home.until("web", "running");
    assert_eq!(home.starts("web"), 2);
}

#[test]
fn an_agent_that_ends_leaves_the_tasks_running() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&["--strict"]);
    home.until("web", "running");
    let pid = home.pid("web");
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
    assert!(home.alive().iter().any(|(alive, _)| *alive == pid));
    home.up(&[]);
    assert_eq!((home.state("web").as_str(), home.pid("web")), ("running", pid));
    home.signal(Signal::INT);
    assert_eq!(home.ended(), Some(0));
    assert_eq!(home.starts("web"), 1);
}

#[test]
fn with_on_exit_stop_the_tasks_are_stopped_and_the_next_agent_starts_them_again() {
    let script = format!("trap 'echo > $TEST_HOME/asked; exit 0' TERM; {RUNS}");
    let mut home = Home::new(&[task("web", &script), task("job", "exit 4")].concat());
    home.up(&["--on-exit", "stop"]);
    home.until("web", "running");
    home.until("job", "failed");
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0), "{}", home.read("err"));
    assert!(home.path("asked").exists());
    assert_eq!(home.alive(), []);
    home.up(&["--on-exit", "stop"]);
    home.until("web", "running");
    assert_eq!((home.starts("web"), home.starts("job")), (2, 1));
    assert_eq!(home.state("job"), "failed");
}

#[test]
fn a_task_that_ignores_the_stop_is_killed_by_a_second_signal() {
    let script = format!("trap 'echo > $TEST_HOME/asked' TERM; {RUNS}");
    let mut home = Home::new(&(task("web", &script) + "stop_grace = '1h'\n"));
    home.up(&["--on-exit", "stop"]);
    home.until("web", "running");
    home.signal(Signal::TERM);
    home.wait(|home| home.path("asked").exists());
    // Signals that come at the same time count as one.
    std::thread::sleep(std::time::Duration::from_millis(300));
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0), "{}", home.read("err"));
    assert_eq!(home.alive(), []);
}

#[test]
fn stop_after_continues_while_no_agent_runs() {
    let mut home = Home::new(&(task("web", RUNS) + "stop_after = '1s'\n"));
    home.up(&[]);
    home.until("web", "running");
    home.kill();
    home.up(&[]);
    home.until("web", "shutdown");
    home.save(&(task("web", RUNS) + &task("new", RUNS) + "stop_after = '10ms'\n"));
    home.until("new", "shutdown");
    assert_eq!(home.starts("web"), 1);
}

#[test]
fn a_process_that_is_not_assigned_is_ended() {
    let mut home = Home::new(&[task("web", RUNS), task("stray", RUNS)].concat());
    home.up(&[]);
    home.until("web", "running");
    home.until("stray", "running");
    let pid = home.pid("web");
    home.kill();
    // The store is lost, but the process is still running.
    fs::remove_file(home.path("state/tasks.redb")).unwrap();
    home.save(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    assert_eq!((home.pid("web"), home.starts("web")), (pid, 1));
    home.wait(|home| !home.path("state/tasks/stray").exists());
    assert_eq!(home.alive().iter().filter(|(_, line)| line.contains("stray")).count(), 0);
}

#[test]
fn an_unusable_store_is_reported_and_not_changed() {
    let home = Home::new(&task("web", RUNS));
    fs::create_dir(home.path("state")).unwrap();
    fs::set_permissions(home.path("state"), Permissions::from_mode(0o700)).unwrap();
    fs::write(home.path("state/tasks.redb"), "something else").unwrap();
    let error = home.refused(&["run", "tasks.toml"]);
    assert!(error.contains("tasks.redb: this is not a store of tasks"), "{error}");
    assert_eq!(home.read("state/tasks.redb"), "something else");
}

#[test]
fn a_state_needs_a_task_file_and_on_exit_needs_a_state() {
    let home = Home::new(&task("web", RUNS));
    let error = home.refused(&["run"]);
    assert!(error.contains("--state needs a task file; write: process-agent run FILE"), "{error}");
    let error = home.refused(&["run", "/dev/stdin"]);
    assert!(error.contains("there is no task in it"), "{error}");
    let mut command = home.command(&["run", "tasks.toml", "--on-exit", "stop"]);
    let output = child::output(command.env_remove("ONWARD_STATE"));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--state"), "{output:?}");
}

/// Returns the agent's answer to a line.
fn answer(home: &Home, line: &str) -> String {
    let mut socket = UnixStream::connect(home.path("state/agent.sock")).unwrap();
    writeln!(socket, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn an_invalid_request_gets_an_error_with_a_valid_one() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    let told = answer(&home, r#"{"version":2,"request":"dance"}"#);
    assert!(
        told.contains("this agent speaks version 1 of the protocol, and the client version 2"),
        "{told}"
    );
    for wrong in ["", "hello", r#"{"version":1,"request":"dance"}"#, r#"{"request":"ps"}"#] {
        let told = answer(&home, wrong);
        assert!(told.contains("this is not a request: "), "{told}");
    }
    assert!(answer(&home, r#"{"version":1,"request":"ps"}"#).contains("web"));
}

/// Ends only when it was asked to and the file `go` exists.
const STUBBORN: &str = "trap 'while ! test -e $TEST_HOME/go; do sleep 0.01; done; exit 0' TERM; while :; do sleep 0.05; done";

/// A slow task was deleted from the file and added again. It waits for the end of its predecessor.
fn waits_for_its_predecessor(arguments: &[&str]) -> Home {
    let mut home = Home::new(&task("web", STUBBORN));
    home.up(arguments);
    home.until("web", "running");
    home.save("task = []\n");
    home.wait(|home| home.task("web").unwrap()["DesiredState"] == "shutdown");
    home.save(&[task("web", RUNS), task("other", RUNS)].concat());
    home.until("other", "running");
    home
}

#[test]
fn a_task_that_waits_for_its_predecessor_starts_after_a_restart_of_the_agent() {
    for signal in [Signal::KILL, Signal::TERM] {
        let mut home = waits_for_its_predecessor(&[]);
        home.signal(signal);
        home.ended();
        home.up(&[]);
        assert_eq!(home.starts("web"), 1);
        fs::write(home.path("go"), "").unwrap();
        home.wait(|home| home.starts("web") == 2);
        home.until("web", "running");
    }
}

#[test]
fn a_stopped_task_that_waits_for_its_predecessor_does_not_start() {
    let home = waits_for_its_predecessor(&[]);
    home.ask(&["stop", "web"]);
    fs::write(home.path("go"), "").unwrap();
    home.ask(&["stop", "--wait", "web"]);
    assert_eq!((home.state("web").as_str(), home.starts("web")), ("shutdown", 1));
}

#[test]
fn a_change_of_an_ended_task_is_shown_to_have_no_effect() {
    let mut home = Home::new("task = [{ name = 'web', command = ['/bin/slep'] }]\n");
    home.up(&[]);
    home.until("web", "rejected");
    home.save("task = [{ name = 'web', command = ['/bin/sleep', '9'] }]\n");
    home.wait(|home| home.ask(&["ps"]).contains("it has ended, so its change has no effect"));
}

#[test]
fn tasks_that_an_agent_stopped_before_it_was_killed_start_again() {
    let mut home = Home::new(&[task("web", STUBBORN), task("other", RUNS)].concat());
    home.up(&["--on-exit", "stop"]);
    home.until("web", "running");
    home.until("other", "running");
    home.signal(Signal::TERM);
    home.wait(|home| home.ps().is_none() || home.state("other") == "shutdown");
    home.kill();
    fs::write(home.path("go"), "").unwrap();
    home.up(&[]);
    for name in ["web", "other"] {
        home.wait(|home| home.starts(name) == 2);
        home.until(name, "running");
    }
}
