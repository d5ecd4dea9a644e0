//! A disk that is full for a while, with a task in each state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/small_disk.rs"]
mod small_disk;

use std::fs::{self, File};
use std::io::Write as _;

use agent::{Home, RUNS, task};
use serde_json::Value;
use small_disk::SmallDisk;

/// Returns a script that continues when the test creates a file on another disk.
fn when_told(name: &str, then: &str) -> String {
    format!("until test -e $TEST_HOME/{name}.go; do sleep 0.02; done; {then}")
}

fn find(home: &Home, name: &str) -> Option<Value> {
    let output = home.output(&["ps", "--state", "disk", "--json"]);
    let tasks: Vec<Value> = serde_json::from_slice(&output.stdout).ok()?;
    tasks.into_iter().find(|task| task["ID"] == name)
}

fn state(home: &Home, name: &str) -> String {
    let task = find(home, name).unwrap_or_default();
    task["Status"]["State"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn after_a_full_disk_every_task_continues_as_before() {
    let prepare = format!("prepare = ['sh', '-c', '{}']\n", when_told("prepared", "exit 0"));
    let ready =
        format!("ready = {{ command = ['sh', '-c', '{}'] }}\n", when_told("ready", "exit 0"));
    let says = "while :; do echo some text that fills the log; sleep 0.01; done";
    let mut tasks = vec![
        task("ends", &when_told("ends", "exit 7")),
        task("prepared", RUNS) + &prepare,
        task("ready", RUNS) + &ready,
        task("stays", RUNS),
        task("says", says),
        task("stops", RUNS),
    ];
    let gone = task("gone", RUNS);
    let mut home = Home::new(&(tasks.concat() + &gone));
    let name = "after_a_full_disk_every_task_continues_as_before";
    let Some(disk) = SmallDisk::mount(&home.path("disk"), c"size=12m,mode=700", name) else {
        return;
    };
    let start = ["--state", "disk"];
    home.start(&start);
    let expected = [
        ("ends", "running"),
        ("prepared", "preparing"),
        ("ready", "starting"),
        ("stays", "running"),
        ("says", "running"),
        ("stops", "running"),
        ("gone", "running"),
    ];
    for (name, expected) in expected {
        home.wait(|home| state(home, name) == expected);
    }

    let mut fill = File::create(disk.0.join("fill")).unwrap();
    let mut fill_up = || while fill.write_all(&[0; 512]).is_ok() {};
    fill_up();
    for name in ["ends", "prepared", "ready"] {
        fs::write(home.path(&format!("{name}.go")), "").unwrap();
    }
    // Add one task, for which there is no space: others may free a little meanwhile. Then remove
    // another one.
    tasks.push(task("new", RUNS) + &format!("env = {{ LONG = '{}' }}\n", "x".repeat(100_000)));
    home.save(&(tasks.concat() + &gone));
    home.wait(|home| {
        fill_up();
        home.read("out").contains("make room there")
    });
    home.save(&tasks.concat());
    // Also kill the agent in between.
    home.kill();
    home.start(&start);
    let stopped = home.output(&["stop", "--state", "disk", "stops"]).status.success();

    drop(fill);
    fs::remove_file(disk.0.join("fill")).unwrap();
    for name in ["prepared", "ready", "stays", "says", "new"] {
        home.wait(|home| state(home, name) == "running");
    }
    home.wait(|home| state(home, "ends") == "failed" && state(home, "gone").is_empty());
    let ended = find(&home, "ends").unwrap();
    assert_eq!(ended["Status"]["ContainerStatus"]["ExitCode"], 7, "{ended:#}");
    if !stopped {
        home.ask(&["stop", "--state", "disk", "stops"]);
    }
    home.wait(|home| state(home, "stops") == "shutdown");
    for name in ["ends", "prepared", "ready", "stays", "says", "stops", "gone", "new"] {
        assert_eq!(home.starts(name), 1, "{name}");
    }
    home.save("task = []\n");
    home.wait(|home| home.ask(&["ps", "--state", "disk", "--json"]).trim() == "[]");
    assert_eq!(home.alive(), []);
    home.kill();
}
