//! The metrics and the health of an agent, read over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::float_cmp)] // the numbers are whole
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/http.rs"]
mod http;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/small_disk.rs"]
mod small_disk;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use agent::{Home, RUNS, child, task};
use http::{address, ask, up};
use prometheus::scrape;
use rustix::mount::{MountFlags, mount_remount};
use small_disk::SmallDisk;

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

/// Time between two checks.
const POLL: Duration = Duration::from_millis(20);

/// Waits until these samples have these values.
#[track_caller]
fn wait_for(address: SocketAddr, expected: &[(&str, f64)]) {
    let given_up = Instant::now() + GUARD;
    loop {
        let samples = scrape(address);
        let value = |sample: &str| samples.get(sample).copied().unwrap_or(f64::NAN);
        let found: Vec<_> = expected.iter().map(|(sample, _)| (*sample, value(sample))).collect();
        if found == expected {
            return;
        }
        if Instant::now() >= given_up {
            assert_eq!(found, expected, "after {GUARD:?}");
        }
        thread::sleep(POLL);
    }
}

/// Replaces the task file as a whole, so that the agent cannot read half of it.
fn replace(home: &Home, tasks: &str) {
    std::fs::write(home.path("new.toml"), tasks).unwrap();
    std::fs::rename(home.path("new.toml"), home.path("tasks.toml")).unwrap();
}

const DURATIONS: &str = "onward_operation_duration_seconds_count";

/// Five tasks, each with another life.
fn courses() -> String {
    let retried = "prepare = ['sh', '-c', 'test -e $TEST_HOME/once || { touch $TEST_HOME/once; exit 75; }']\n\
                   policy = { retry_initial = '10ms' }\n";
    let never_ready = "ready = { command = ['false'], interval = '20ms' }\n\
                       policy = { start_deadline = '300ms' }\n";
    [
        task("done", "exit 0"),
        task("failing", "exit 3") + retried,
        task("stopped", RUNS),
        task("changed", RUNS),
        task("late", RUNS) + never_ready,
    ]
    .concat()
}

#[test]
fn after_known_lives_of_tasks_the_metrics_have_exact_values() {
    let (home, address) = up(&courses());
    let none = scrape(address);
    for state in ["new", "assigned", "ready", "running", "complete", "orphaned", "remove"] {
        assert!(none.contains_key(&format!("onward_tasks{{state=\"{state}\"}}")), "{none:?}");
    }
    home.until("done", "complete");
    home.until("failing", "failed");
    home.until("late", "failed");
    home.until("stopped", "running");
    home.until("changed", "running");
    home.ask(&["stop", "--wait", "stopped"]);
    replace(
        &home,
        &courses().replace("name = 'changed'\n", "name = 'changed'\nenv = { A = '1' }\n"),
    );
    home.wait(|home| home.ask(&["ps"]).contains("its change was refused"));
    replace(&home, "[[task]]\nname = 'done'\n");
    let transition =
        |from: &str, to: &str| format!("onward_transitions_total{{from=\"{from}\",to=\"{to}\"}}");
    let call = |operation: &str, outcome: &str| {
        format!("{DURATIONS}{{operation=\"{operation}\",outcome=\"{outcome}\"}}")
    };
    let expected = [
        ("onward_tasks{state=\"complete\"}".to_owned(), 1.0),
        ("onward_tasks{state=\"failed\"}".to_owned(), 2.0),
        ("onward_tasks{state=\"shutdown\"}".to_owned(), 1.0),
        ("onward_tasks{state=\"running\"}".to_owned(), 1.0),
        ("onward_tasks{state=\"starting\"}".to_owned(), 0.0),
        (transition("assigned", "accepted"), 5.0),
        (transition("accepted", "preparing"), 5.0),
        (transition("preparing", "ready"), 5.0),
        (transition("preparing", "rejected"), 0.0),
        (transition("ready", "starting"), 5.0),
        (transition("starting", "running"), 4.0),
        (transition("starting", "failed"), 1.0),
        (transition("running", "complete"), 1.0),
        (transition("running", "failed"), 1.0),
        (transition("running", "shutdown"), 1.0),
        ("onward_retries_total{operation=\"prepare\"}".to_owned(), 1.0),
        ("onward_retries_total{operation=\"update\"}".to_owned(), 0.0),
        ("onward_deadlines_passed_total{operation=\"start\"}".to_owned(), 1.0),
        ("onward_deadlines_passed_total{operation=\"shutdown\"}".to_owned(), 0.0),
        ("onward_terminations_total".to_owned(), 1.0),
        ("onward_refusals_total{kind=\"definition\"}".to_owned(), 1.0),
        ("onward_refusals_total{kind=\"assignment\"}".to_owned(), 0.0),
        ("onward_refusals_total{kind=\"task_file\"}".to_owned(), 1.0),
        (call("controller", "ok"), 5.0),
        (call("prepare", "ok"), 5.0),
        (call("prepare", "temporary"), 1.0),
        (call("start", "ok"), 4.0),
        (call("start", "dropped"), 1.0),
        (call("update", "error"), 1.0),
        (call("wait", "ok"), 1.0),
        (call("wait", "error"), 1.0),
        (call("shutdown", "ok"), 1.0),
        (call("terminate", "ok"), 1.0),
        ("onward_commit_failures_total".to_owned(), 0.0),
        ("onward_unstored_status_age_seconds".to_owned(), 0.0),
        ("onward_build_info{version=\"0.1.0\"}".to_owned(), 1.0),
    ];
    let expected: Vec<_> = expected.iter().map(|(sample, value)| (&**sample, *value)).collect();
    wait_for(address, &expected);
    let samples = scrape(address);
    let commits = samples["onward_commits_total"];
    assert!(commits >= 5.0, "{commits}");
    assert!(samples["onward_commit_duration_seconds_count"] >= commits);
    let (open, most) = (samples["process_open_fds"], samples["process_max_fds"]);
    assert!(8.0 < open && open < most, "{open} of {most}");
    assert!(samples["process_start_time_seconds"] > 1e9);
    assert_eq!(ask(address, "GET", "/healthz").body, "ok\n");
}

#[test]
fn the_agent_is_not_healthy_while_its_store_cannot_be_written() {
    let mut home = Home::new(&task("web", RUNS));
    let name = "the_agent_is_not_healthy_while_its_store_cannot_be_written";
    let Some(disk) = SmallDisk::mount(&home.path("disk"), c"size=4m,mode=700", name) else {
        return;
    };
    home.start(&["--state", "disk", "--metrics", "0"]);
    let address = address(&home);
    home.wait(|home| home.starts("web") == 1);
    assert_eq!(ask(address, "GET", "/healthz").status, 200);
    _ = std::fs::write(disk.0.join("fill"), vec![0; 8 << 20]);
    // More than the store has space for.
    let many: String = (0..60)
        .map(|index| {
            let long = format!("env = {{ LONG = '{}' }}\n", "x".repeat(60_000));
            task(&format!("many{index}"), "exit 0") + &long
        })
        .collect();
    home.save(&(task("web", RUNS) + &many));
    let mut answer = ask(address, "GET", "/healthz");
    home.wait(|_| {
        answer = ask(address, "GET", "/healthz");
        answer.status == 503
    });
    let said = "the last write to the store failed: ";
    assert!(answer.body.starts_with(said), "{answer:?}");
    assert!(scrape(address)["onward_commit_failures_total"] >= 1.0);
    mount_remount(&disk.0, MountFlags::empty(), "size=64m,mode=700").unwrap();
    home.save(&[task("web", RUNS), task("one", RUNS)].concat());
    home.wait(|home| home.starts("one") == 1);
    home.wait(|_| ask(address, "GET", "/healthz").status == 200);
    home.kill();
}

#[test]
fn the_log_and_the_metrics_do_not_affect_each_other() {
    for (filter, is_logged) in [("onward=debug", true), ("off", false)] {
        let mut home = Home::new(&task("done", "exit 0"));
        let mut command = home.command(&["run", "tasks.toml", "--http", "127.0.0.1:0"]);
        command.env("RUST_LOG", filter);
        home.spawn(command);
        let address = address(&home);
        let complete = r#"onward_transitions_total{from="running",to="complete"}"#;
        wait_for(address, &[(complete, 1.0)]);
        home.until("done", "complete");
        home.kill();
        assert_eq!(home.read("err").contains("state changed"), is_logged, "{filter}");
    }
}

#[test]
fn without_a_state_metrics_are_served_until_the_tasks_have_ended() {
    let mut home = Home::new(&task("web", RUNS));
    let mut command = home.command(&["run", "tasks.toml", "--http", "127.0.0.1:0"]);
    command.env_remove("ONWARD_STATE");
    home.spawn(command);
    let address = address(&home);
    wait_for(address, &[("onward_tasks{state=\"running\"}", 1.0)]);
    assert_eq!(ask(address, "GET", "/healthz").body, "ok\n");
    home.signal(rustix::process::Signal::TERM);
    assert_eq!(child::ended(home.agent.take().unwrap()).status.code(), Some(0));
    assert!(std::net::TcpStream::connect(address).is_err());
}
