//! The directories that can be the state of an agent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use agent::{Home, RUNS, child, task, text};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, geteuid};

fn dir(home: &Home, path: &str, mode: u32) {
    fs::create_dir(home.path(path)).unwrap();
    fs::set_permissions(home.path(path), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_state_that_others_could_replace_is_refused() {
    let home = Home::new(&task("web", RUNS));
    dir(&home, "open", 0o777);
    dir(&home, "open/between", 0o755);
    dir(&home, "open/between/state", 0o700);
    let error = home.refused(&["run", "tasks.toml", "--state", "open/between/state"]);
    assert!(error.contains("others could put another directory in its place"), "{error}");
    assert!(error.contains("open has the mode 777"), "{error}");
    // Also through a symbolic link.
    symlink("open/between", home.path("link")).unwrap();
    let error = home.refused(&["run", "tasks.toml", "--state", "link/state"]);
    assert!(error.contains("open has the mode 777"), "{error}");
    // A sticky directory such as /tmp protects its entries.
    fs::set_permissions(home.path("open"), Permissions::from_mode(0o1777)).unwrap();
    let done = home.output(&["run", "tasks.toml", "--state", "open/between/state", "--help"]);
    assert!(done.status.success());
    if geteuid().is_root() {
        chown(home.path("open/between"), Some(65534), None).unwrap();
        let error = home.refused(&["run", "tasks.toml", "--state", "link/state"]);
        assert!(error.contains("between belongs to user 65534"), "{error}");
    }
    assert_eq!(home.starts("web"), 0);
}

#[test]
fn a_temporary_directory_that_others_could_replace_is_refused() {
    let home = Home::new(&task("web", RUNS));
    dir(&home, "open", 0o777);
    let mut command = home.command(&["run", "tasks.toml"]);
    command.env_remove("ONWARD_STATE").env("TMPDIR", home.path("open"));
    let refused = child::output(&mut command);
    assert_eq!(refused.status.code(), Some(2));
    let error = text(&refused.stderr);
    assert!(error.contains("open has the mode 777"), "{error}");
    assert_eq!((home.starts("web"), fs::read_dir(home.path("open")).unwrap().count()), (0, 0));
}

/// `systemd-tmpfiles` skips a directory with this lock.
#[test]
fn the_directory_of_the_tasks_is_locked_with_and_without_a_state() {
    let is_locked = |dir: File| flock(dir, FlockOperation::NonBlockingLockExclusive).is_err();
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    assert!(is_locked(File::open(home.path("state")).unwrap()));
    home.kill();
    home.wait(|home| !is_locked(File::open(home.path("state")).unwrap()));

    dir(&home, "tmp", 0o700);
    let mut command = home.command(&["run", "tasks.toml"]);
    command.env_remove("ONWARD_STATE").env("TMPDIR", home.path("tmp"));
    home.agent = Some(command.spawn().unwrap());
    home.wait(|home| home.starts("web") == 2);
    let place = fs::read_dir(home.path("tmp")).unwrap().next().unwrap().unwrap();
    assert!(is_locked(File::open(place.path()).unwrap()));
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
    assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_path_that_is_not_utf8_is_refused_before_the_start() {
    let home = Home::new(&task("web", RUNS));
    let mut command = home.command(&["run", "tasks.toml", "--state"]);
    let refused = child::output(command.arg(OsStr::from_bytes(b"st\xffte")));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("the path is not UTF-8"), "{refused:?}");
    assert_eq!(home.starts("web"), 0);
}

#[test]
fn an_empty_store_is_refused_if_there_are_tasks() {
    let mut home = Home::new(&task("web", RUNS));
    home.up(&[]);
    home.until("web", "running");
    let pid = home.pid("web");
    home.kill();
    fs::rename(home.path("state/tasks.redb"), home.path("kept")).unwrap();
    fs::write(home.path("state/tasks.redb"), "").unwrap();
    let error = home.refused(&["run", "tasks.toml"]);
    assert!(error.contains("tasks.redb: the store is empty, but there are tasks"), "{error}");
    fs::rename(home.path("kept"), home.path("state/tasks.redb")).unwrap();
    home.up(&[]);
    home.until("web", "running");
    assert_eq!(home.pid("web"), pid);
}

#[test]
fn a_state_is_created_with_any_umask() {
    let home = Home::new("task = []");
    let script = "umask 0777; exec \"$@\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_process-agent")]);
    shell.args(["run", "tasks.toml", "--state", "a/b"]).current_dir(home.path(""));
    let mut agent = shell.stdout(std::process::Stdio::null()).spawn().unwrap();
    home.wait(|home| home.output(&["ps", "--state", "a/b"]).status.success());
    agent.kill().unwrap();
    agent.wait().unwrap();
    for dir in ["a", "a/b", "a/b/tasks"] {
        let mode = fs::metadata(home.path(dir)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{dir}");
    }
}
