//! Clients of an agent get an answer, even if the agent ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/nobody.rs"]
mod nobody;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use agent::{Home, RUNS, child, task, text};
use nobody::as_nobody;
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn a_client_that_closes_its_writing_half_gets_all_of_its_answer() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    for _ in 0..100 {
        let mut client = UnixStream::connect(home.path("state/agent.sock")).unwrap();
        client.write_all(b"{\"version\":1,\"request\":\"ps\"}\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\"done\"\n"), "{answer:?}");
    }
}

#[test]
fn a_deleted_socket_is_created_again_and_until_then_ps_reports_it() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.signal(Signal::STOP);
    fs::remove_file(home.path("state/agent.sock")).unwrap();
    let refused = home.refused(&["ps"]);
    assert!(refused.contains("an agent runs on state, but its socket is missing"), "{refused}");
    home.signal(Signal::CONT);
    home.wait(|home| home.ps().is_some());
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
    assert!(!home.path("state/agent.sock").exists());
}

#[test]
fn a_client_that_follows_a_log_gets_an_error_when_the_agent_ends() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut home = Home::new(&task("web", &format!("echo hello; {RUNS}")));
        home.up(&[]);
        home.until("web", "running");
        home.wait(|home| home.ask(&["logs", "web"]) == "hello\n");
        let mut follower = home.command(&["logs", "-f", "web"]);
        let mut follower = follower.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 6];
        follower.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        home.signal(signal);
        let followed = child::ended(follower);
        assert_eq!(followed.status.code(), Some(2), "{followed:?}");
        let error = text(&followed.stderr);
        assert_eq!(
            error,
            "process-agent: the agent on state ended before its answer was complete\n"
        );
        home.ended();
    }
}

/// Returns a task for each way to end without running.
fn tasks_that_never_run() -> String {
    let failing = "command = ['true']\nprepare = ['sh', '-c', 'echo no; exit 3']\n";
    let killed = "command = ['true']\nprepare = ['sh', '-c', 'kill -9 $$']\n";
    let missing = "command = ['/nowhere/at/all']\n";
    let unready = "command = ['sleep', '9']\nready = { command = ['false'], timeout = '100ms' }\n";
    let kinds =
        [("failing", failing), ("killed", killed), ("missing", missing), ("unready", unready)];
    kinds.map(|(name, keys)| format!("[[task]]\nname = '{name}'\n{keys}")).concat()
}

#[test]
fn following_the_log_of_a_task_that_never_ran_ends() {
    let mut home = Home::new(&tasks_that_never_run());
    home.up(&[]);
    for name in ["failing", "killed", "missing", "unready"] {
        home.wait(|home| ["rejected", "failed"].contains(&home.state(name).as_str()));
        home.ask(&["logs", "-f", name]);
    }
    let all =
        child::output(home.command(&["run", "--logs", "tasks.toml"]).env_remove("ONWARD_STATE"));
    assert_eq!(all.status.code(), Some(0), "{all:?}");
}

#[test]
fn a_line_as_json_has_its_task_time_and_stream() {
    let mut home =
        Home::new(&task("web", "echo '\\\"a\\\"'; printf '\\\\033]0;x\\\\n' >&2; exit 3"));
    home.up(&[]);
    home.until("web", "failed");
    let lines = home.ask(&["logs", "--json", "web"]);
    assert!(!lines.contains('\u{1b}'), "{lines:?}");
    let mut lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["stream"].to_string());
    for line in &mut lines {
        let time = line["time"].take();
        assert_eq!(time.as_str().unwrap().len(), "2026-11-22T08:33:59.123456789Z".len());
    }
    let line = |stream: &str, text: &str| {
        serde_json::json!({
            "task": "web", "time": null, "stream": stream, "partial": false, "text": text
        })
    };
    assert_eq!(lines, [line("stderr", "\u{1b}]0;x"), line("stdout", "\"a\"")]);
}

#[test]
fn another_user_gets_an_error_with_the_owner_of_the_agent() {
    let Some(mut nobody) = as_nobody("another_user_gets_an_error_with_the_owner_of_the_agent")
    else {
        return;
    };
    let mut home = Home::new("task = []");
    let program = home.path("process-agent");
    fs::copy(env!("CARGO_BIN_EXE_process-agent"), &program).unwrap();
    let place = home.path("");
    fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
    home.up(&[]);
    nobody.arg(&program).args(["ps", "--state"]).arg(home.path("state"));
    let refused = child::output(&mut nobody);
    let error = text(&refused.stderr);
    assert!(error.contains("belongs to user 0; only that user can talk to it"), "{error}");
    home.kill();

    // Root can open every socket, and asks the agent of another user.
    let mut nobody = as_nobody("").unwrap();
    fs::remove_dir_all(home.path("state")).unwrap();
    let own = home.path("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&own, Some(65534), Some(65534)).unwrap();
    nobody.arg(&program).arg("run").arg(home.path("tasks.toml"));
    nobody.arg("--state").arg(&own).stdout(Stdio::null());
    home.agent = Some(nobody.spawn().unwrap());
    home.wait(|home| home.path("own/agent.sock").exists());
    let error = home.refused(&["ps", "--state", "own"]);
    assert!(
        error.contains("this agent belongs to user 65534, and the client to user 0"),
        "{error}"
    );
}

/// Returns the agent's answer to a request.
fn answer(mut client: UnixStream, request: &str) -> String {
    writeln!(client, r#"{{"version":1,"request":{request}}}"#).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// The request is sent on an open connection, because a new program would be too slow to see the
/// difference.
#[test]
fn a_stop_that_waits_returns_when_the_exit_code_is_known() {
    let names: Vec<_> = (0..20).map(|index| format!("t{index}")).collect();
    let mut home = Home::new(&names.iter().map(|name| task(name, RUNS)).collect::<String>());
    home.up(&[]);
    for name in &names {
        home.until(name, "running");
        let connect = || UnixStream::connect(home.path("state/agent.sock")).unwrap();
        let (stop, ps) = (connect(), connect());
        let stopped = answer(stop, &format!(r#"{{"stop":{{"names":["{name}"],"wait":true}}}}"#));
        let listed = answer(ps, r#""ps""#);
        assert_eq!(stopped, "\"done\"\n");
        let listed: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
        let tasks = listed["tasks"].as_array().unwrap();
        let listed = tasks.iter().find(|listed| listed["task"]["ID"] == **name).unwrap();
        let status = &listed["task"]["Status"];
        assert_eq!(status["State"], "shutdown", "{listed:#}");
        let expected = serde_json::json!({ "ContainerID": name, "ExitCode": 143 });
        assert_eq!(status["ContainerStatus"], expected, "{listed:#}");
    }
}
