//! The task file is read again after each kind of change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::fs;
use std::os::unix::fs::symlink;

use agent::{Home, RUNS, task};

/// Writes a file with these tasks.
fn write(home: &Home, path: &str, names: &[&str]) {
    let tasks: String = names.iter().map(|name| task(name, RUNS)).collect();
    fs::write(home.path(path), tasks).unwrap();
}

/// Starts an agent on `tasks.toml`, which is a link to `target`.
fn linked(target: &str) -> Home {
    let home = Home::new("");
    fs::remove_file(home.path("tasks.toml")).unwrap();
    symlink(target, home.path("tasks.toml")).unwrap();
    home
}

#[test]
fn a_link_to_a_directory_on_the_way_is_changed() {
    let mut home = linked("..data/tasks.toml");
    for (dir, names) in [("..v1", &["a"][..]), ("..v2", &["a", "b"])] {
        fs::create_dir(home.path(dir)).unwrap();
        write(&home, &format!("{dir}/tasks.toml"), names);
    }
    symlink("..v1", home.path("..data")).unwrap();
    home.up(&[]);
    home.until("a", "running");
    // Kubernetes updates files in this way.
    symlink("..v2", home.path("..new")).unwrap();
    fs::rename(home.path("..new"), home.path("..data")).unwrap();
    home.until("b", "running");
}

#[test]
fn the_target_of_a_link_is_written() {
    let mut home = linked("real/tasks.toml");
    fs::create_dir(home.path("real")).unwrap();
    write(&home, "real/tasks.toml", &["a"]);
    home.up(&[]);
    home.until("a", "running");
    write(&home, "real/tasks.toml", &["a", "b"]);
    home.until("b", "running");
}

#[test]
fn a_directory_is_replaced_and_the_file_is_written_in_the_new_one() {
    let mut home = Home::new("");
    fs::create_dir(home.path("conf")).unwrap();
    write(&home, "conf/tasks.toml", &["a"]);
    let agent = home.command(&["run", "conf/tasks.toml"]).spawn().unwrap();
    home.agent = Some(agent);
    home.wait(|home| home.ps().is_some());
    home.until("a", "running");
    fs::rename(home.path("conf"), home.path("old")).unwrap();
    fs::create_dir(home.path("conf")).unwrap();
    write(&home, "conf/tasks.toml", &["a", "b"]);
    home.until("b", "running");
    write(&home, "conf/tasks.toml", &["a", "b", "c"]);
    home.until("c", "running");
}

#[test]
fn a_change_that_keeps_length_and_times_is_detected() {
    let mut home = Home::new(&task("a", RUNS));
    home.up(&[]);
    home.until("a", "running");
    let times = fs::metadata(home.path("tasks.toml")).unwrap();
    let times = fs::FileTimes::new().set_modified(times.modified().unwrap());
    home.save(&task("b", RUNS));
    fs::File::options()
        .write(true)
        .open(home.path("tasks.toml"))
        .unwrap()
        .set_times(times)
        .unwrap();
    home.until("b", "running");
}

#[test]
fn a_relative_path_is_relative_to_the_file_for_every_agent() {
    let entry =
        "[[task]]\nname = 'a'\ncommand = ['sh', '-c', 'pwd; exec sleep 1000']\ndir = 'srv'\n";
    let mut home = Home::new(entry);
    for dir in ["srv", "elsewhere"] {
        fs::create_dir(home.path(dir)).unwrap();
    }
    let state = home.path("state");
    let mut command = home.command(&["run", "../tasks.toml"]);
    command.current_dir(home.path("elsewhere")).env("ONWARD_STATE", &state);
    home.agent = Some(command.spawn().unwrap());
    home.wait(|home| home.ps().is_some());
    home.until("a", "running");
    home.wait(|home| home.ask(&["logs", "a"]).trim_end().ends_with("/srv"));
}
