//! Files of another user in a state: the agent refuses each by its path, and loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use agent::{Home, RUNS, task};
use rustix::process::geteuid;

/// The directories above the state, the state, and all files of the agent and a keeper in it.
const PATHS: [&str; 13] = [
    "above",
    "above/between",
    "above/between/state",
    "above/between/state/agent.sock",
    "above/between/state/reserve",
    "above/between/state/tasks.redb",
    "above/between/state/tasks",
    "above/between/state/tasks/web",
    "above/between/state/tasks/web/control.sock",
    "above/between/state/tasks/web/exit.json",
    "above/between/state/tasks/web/keeper.json",
    "above/between/state/tasks/web/log",
    "above/between/state/tasks/web/spec.json",
];

const RUN: [&str; 4] = ["run", "tasks.toml", "--state", "above/between/state"];

/// Returns a state whose agent was killed, and the running process of its task.
fn left() -> (Home, i32) {
    let mut home = Home::new(&task("web", RUNS));
    for dir in ["above", "above/between"] {
        fs::create_dir(home.path(dir)).unwrap();
        fs::set_permissions(home.path(dir), Permissions::from_mode(0o755)).unwrap();
    }
    home.start(&["--state", "above/between/state"]);
    home.wait(|home| pid(home).is_some());
    let pid = pid(&home).unwrap();
    home.kill();
    (home, pid)
}

/// Returns the process of the task, if it runs and an agent answers.
fn pid(home: &Home) -> Option<i32> {
    let output = home.output(&["ps", "--json", "--state", "above/between/state"]);
    let tasks: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let pid = tasks[0]["Status"]["ContainerStatus"]["PID"].as_i64()?;
    Some(pid.try_into().unwrap())
}

/// Starts an agent on the state, and checks that the process is the same.
fn goes_on(home: &mut Home, before: i32) {
    home.start(&["--state", "above/between/state"]);
    home.wait(|home| pid(home).is_some());
    assert_eq!((pid(home), home.starts("web")), (Some(before), 1));
}

#[track_caller]
fn refused(home: &Home, path: &str, problem: &str) {
    let error = home.refused(&RUN);
    assert!(error.contains(problem), "{path}: {error}");
    // The error has the path of each directory.
    assert!(error.contains(&format!("{path}: ")) || error.contains(&format!("{path} ")), "{error}");
}

#[test]
fn a_file_that_belongs_to_another_user_is_refused_by_its_path() {
    if !geteuid().is_root() {
        // The output of `eprintln` is shown only for failed tests.
        let why =
            b"skipped: a_file_that_belongs_to_another_user_is_refused_by_its_path (not root)\n";
        return std::io::stderr().write_all(why).unwrap();
    }
    let (mut home, pid) = left();
    for path in PATHS {
        chown(home.path(path), Some(65534), None).unwrap();
        refused(&home, path, "belongs to user 65534");
        chown(home.path(path), Some(0), None).unwrap();
    }
    goes_on(&mut home, pid);
}

#[test]
fn a_file_that_another_user_can_write_to_is_refused_by_its_path() {
    let (mut home, pid) = left();
    for path in PATHS {
        let before = fs::metadata(home.path(path)).unwrap().permissions();
        for others in [0o020, 0o002] {
            let mode = before.mode() & 0o777 | others;
            fs::set_permissions(home.path(path), Permissions::from_mode(mode)).unwrap();
            refused(&home, path, &format!("has the mode {mode:03o}"));
        }
        fs::set_permissions(home.path(path), before).unwrap();
    }
    goes_on(&mut home, pid);
}

#[test]
fn a_symbolic_link_in_a_state_is_refused_and_not_followed() {
    let (mut home, pid) = left();
    fs::write(home.path("elsewhere"), "as it was").unwrap();
    for path in ["above/between/state/reserve", "above/between/state/tasks/web/log"] {
        fs::rename(home.path(path), home.path("kept")).unwrap();
        symlink(home.path("elsewhere"), home.path(path)).unwrap();
        refused(&home, path, "is a symbolic link");
        assert_eq!(home.read("elsewhere"), "as it was");
        fs::remove_file(home.path(path)).unwrap();
        fs::rename(home.path("kept"), home.path(path)).unwrap();
    }
    goes_on(&mut home, pid);
}

/// A task may do what it likes in its own directory.
#[test]
fn a_working_directory_that_others_can_write_to_is_accepted() {
    let mut home =
        Home::new(&task("web", &format!("chmod 777 .; touch gift; chmod 666 gift; {RUNS}")));
    home.up(&[]);
    home.until("web", "running");
    home.wait(|home| home.path("state/tasks/web/work/gift").exists());
    let before = home.pid("web");
    home.kill();
    home.up(&[]);
    home.until("web", "running");
    assert_eq!(home.pid("web"), before);
}
