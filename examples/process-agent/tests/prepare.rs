//! The start conditions of a workload, and the errors if it cannot start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;

use std::{fs, os::unix::fs::PermissionsExt as _};

use process_agent::{
    definition::ProcessDefinition,
    keeper::{By, KeeperError},
};
use task::{GUARD, Task};

#[tokio::test]
async fn the_environment_and_the_directory_come_from_the_definition() {
    let home = tempfile::tempdir().unwrap();
    let script = "echo \"$GIVEN $PWD\"; test -n \"$PATH\" && test -n \"$ONWARD_TASK\"";
    let task = Task::shell_with(script, |definition| {
        definition.env.insert("GIVEN".to_owned(), "x y".to_owned());
        definition.dir = Some(home.path().to_owned());
    });
    task.start().await;
    assert_eq!(task.code().await, (0, By::Exit));
    task.says(&format!("x y {}", home.path().display())).await;
}

#[tokio::test]
async fn the_default_directory_is_the_tasks_own() {
    let task = Task::shell("pwd");
    task.start().await;
    task.end().await;
    task.says(&task.path("task/work").display().to_string()).await;
}

#[tokio::test]
async fn a_long_path_works() {
    let mut task = Task::new();
    let deep = task.path(&["x".repeat(100), "y".repeat(100)].join("/"));
    fs::create_dir_all(&deep).unwrap();
    task.keeper = task::keeper(deep.join("task"));
    task.keeper.prepare(&ProcessDefinition::new(["true"])).unwrap();
    task.start().await;
    assert_eq!(task.code().await, (0, By::Exit));
}

#[tokio::test]
async fn a_task_can_be_prepared_again_until_its_keeper_has_started() {
    let task = Task::shell("exit 0");
    let mut definition = ProcessDefinition::new(["sh", "-c", "exit 5"]);
    task.keeper.prepare(&definition).unwrap();
    task.start().await;
    assert_eq!(task.code().await.0, 5);
    definition.command = vec!["true".to_owned()];
    let error = task.keeper.prepare(&definition).unwrap_err();
    assert!(matches!(error, KeeperError::AlreadyStarted { .. }), "{error}");
    assert_eq!(task.code().await.0, 5);
}

#[tokio::test]
async fn the_directory_is_accessible_only_to_its_owner() {
    let task = Task::shell("exit 0");
    let mode = fs::metadata(task.keeper.dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

fn check_prepare(change: impl FnOnce(&mut ProcessDefinition), expected: &str) {
    let task = Task::new();
    let mut definition = ProcessDefinition::new(["true"]);
    change(&mut definition);
    let error = task.keeper.prepare(&definition).unwrap_err().to_string();
    assert_eq!(error.replace(task.home.path().to_str().unwrap(), "HOME"), expected);
}

#[test]
fn a_missing_executable_is_an_error_of_the_preparation() {
    check_prepare(
        |definition| {
            definition.command = vec!["no-such".to_owned()];
            definition.env.insert("PATH".to_owned(), "/a:/b".to_owned());
        },
        "the executable \"no-such\" is not found; looked in /a, /b",
    );
}

#[test]
fn a_relative_executable_is_looked_up_in_the_working_directory() {
    check_prepare(
        |definition| definition.command = vec!["./x".to_owned()],
        "the executable \"./x\" is not found; looked in HOME/task/work/./x",
    );
}

#[test]
fn a_missing_working_directory_is_an_error_of_the_preparation() {
    check_prepare(
        |definition| definition.dir = Some("/no/such".into()),
        "cannot use the working directory /no/such: No such file or directory (os error 2); \
         create it or change `dir`",
    );
}

#[test]
fn a_file_is_not_a_working_directory() {
    check_prepare(
        |definition| definition.dir = Some("/proc/version".into()),
        "cannot use the working directory /proc/version: not a directory; \
         create it or change `dir`",
    );
}

#[test]
fn the_error_of_a_task_directory_that_cannot_be_created_has_a_hint() {
    let keeper = task::keeper("/no/such/task".into());
    let error = keeper.prepare(&ProcessDefinition::new(["true"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/no/such/task/: No such file or directory (os error 2); \
         create the missing directory"
    );
}

/// Prepares a task whose executable is `run` in its home, and then changes that file.
async fn check_spawn_error(change: impl FnOnce(&Task), errno: i32, expected: &str) {
    let task = Task::new();
    let run = task.path("work/run");
    fs::create_dir(task.path("work")).unwrap();
    fs::write(&run, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let mut definition = ProcessDefinition::new(["./run"]);
    definition.dir = Some(task.path("work"));
    task.keeper.prepare(&definition).unwrap();
    change(&task);
    task.start().await;
    let error = task.not_started().await;
    let text = error.spawn_error.replace(task.home.path().to_str().unwrap(), "HOME");
    assert_eq!((error.errno, text.as_str()), (Some(errno), expected));
}

#[tokio::test]
async fn a_deleted_executable_is_reported_in_the_exit_record() {
    check_spawn_error(
        |task| fs::remove_file(task.path("work/run")).unwrap(),
        2,
        "cannot start \"./run\": No such file or directory (os error 2)",
    )
    .await;
}

#[tokio::test]
async fn a_removed_permission_is_reported_in_the_exit_record() {
    let mode = fs::Permissions::from_mode(0o644);
    check_spawn_error(
        |task| fs::set_permissions(task.path("work/run"), mode).unwrap(),
        13,
        "cannot start \"./run\": Permission denied (os error 13)",
    )
    .await;
}

#[tokio::test]
async fn a_deleted_working_directory_is_reported_in_the_exit_record() {
    check_spawn_error(
        |task| fs::remove_dir_all(task.path("work")).unwrap(),
        2,
        "the working directory HOME/work: No such file or directory (os error 2)",
    )
    .await;
}

#[tokio::test]
async fn a_deleted_interpreter_is_reported_in_the_exit_record() {
    let script = |text| move |task: &Task| fs::write(task.path("work/run"), text).unwrap();
    check_spawn_error(
        script("#!/no/such/sh\n"),
        2,
        "the interpreter \"/no/such/sh\" of HOME/work/./run is not found; install it, or change the \
         first line of the script",
    )
    .await;
    check_spawn_error(
        script("#!/bin/sh\r\necho\r\n"),
        2,
        "the interpreter \"/bin/sh\\r\" of HOME/work/./run is not found; the lines of the script end \
         with CRLF: convert it to LF",
    )
    .await;
}

#[tokio::test]
async fn a_keeper_that_cannot_start_reports_the_reason() {
    let task = Task::new();
    fs::create_dir(task.keeper.dir()).unwrap();
    let error = tokio::time::timeout(GUARD, task.keeper.spawn()).await.unwrap().unwrap_err();
    let dir = task.path("task");
    let dir = dir.display();
    assert_eq!(
        error.to_string(),
        format!("the keeper of {dir} could not start: {dir} is not prepared: spec.json is missing")
    );
}
