//! A task's directory has one writer at a time, and a writer stops when its caller is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use onward::{Assignment, Controller, Executor};
use process_agent::controller::{ProcessController, ProcessExecutor};
use process_agent::definition::ProcessDefinition;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

/// Long enough for a job to reach its wait for the lock. If it is not, no test fails.
const BEGINS: Duration = Duration::from_millis(100);

struct Tasks {
    home: TempDir,
    executor: ProcessExecutor,
}

impl Tasks {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let program = env!("CARGO_BIN_EXE_process-agent");
        let executor = ProcessExecutor::new(home.path()).with_program(program);
        Self { home, executor }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("task")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Makes the controller of a task that prints `text`.
    async fn controller(&self, text: &str) -> ProcessController {
        let definition = ProcessDefinition::new(["echo", text]);
        self.executor.controller(&Assignment::new("task", definition)).await.unwrap()
    }

    /// Returns the text that the task was prepared to print.
    fn prepared(&self) -> String {
        let spec = fs::read_to_string(self.dir().join("spec.json")).unwrap();
        let spec: serde_json::Value = serde_json::from_str(&spec).unwrap();
        spec["definition"]["command"][1].as_str().unwrap().to_owned()
    }
}

/// Locks a directory as another writer does.
fn locked(dir: &Path) -> File {
    let lock = File::open(dir).unwrap();
    lock.try_lock().unwrap();
    lock
}

/// Runs a test, then waits until every job in a thread has ended.
fn run(test: impl Future<Output = ()>) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        timeout(GUARD, test).await.expect("the test did not end within the limit");
    });
    // No limit here: each job gives up by itself.
    drop(runtime);
}

#[test]
fn a_dropped_preparation_creates_no_directory_after_the_removal() {
    let tasks = Tasks::new();
    run(async {
        fs::create_dir(tasks.dir()).unwrap();
        let lock = locked(&tasks.dir());
        let mut controller = tasks.controller("old").await;
        timeout(BEGINS, controller.prepare()).await.unwrap_err();
        fs::remove_dir(tasks.dir()).unwrap();
        drop(lock);
        controller.remove().await.unwrap();
    });
    assert_eq!(tasks.names(), [""; 0]);
}

#[test]
fn a_dropped_preparation_does_not_write_to_the_next_task() {
    for _ in 0..5 {
        let tasks = Tasks::new();
        run(async {
            fs::create_dir(tasks.dir()).unwrap();
            let lock = locked(&tasks.dir());
            let mut old = tasks.controller("old").await;
            timeout(BEGINS, old.prepare()).await.unwrap_err();
            let mut new = tasks.controller("new").await;
            let release = async {
                tokio::time::sleep(BEGINS).await;
                drop(lock);
            };
            let (prepared, ()) = tokio::join!(new.prepare(), release);
            prepared.unwrap();
        });
        assert_eq!(tasks.prepared(), "new");
    }
}

#[test]
fn a_dropped_removal_does_not_delete_files_of_the_next_task() {
    let tasks = Tasks::new();
    run(async {
        let mut old = tasks.controller("old").await;
        old.prepare().await.unwrap();
        old.terminate().await.unwrap();
        let lock = locked(&tasks.dir());
        timeout(BEGINS, old.remove()).await.unwrap_err();
        drop(lock);
        old.remove().await.unwrap();
        tasks.controller("new").await.prepare().await.unwrap();
    });
    assert_eq!((tasks.names(), tasks.prepared()), (vec!["task".to_owned()], "new".to_owned()));
}

#[test]
fn a_removal_waits_for_the_writer_of_the_directory() {
    let tasks = Tasks::new();
    run(async {
        let mut controller = tasks.controller("x").await;
        controller.prepare().await.unwrap();
        let lock = locked(&tasks.dir());
        let mut removal = std::pin::pin!(controller.remove());
        timeout(BEGINS, &mut removal).await.unwrap_err();
        assert!(tasks.dir().join("spec.json").exists());
        drop(lock);
        removal.await.unwrap();
    });
    assert_eq!(tasks.names(), [""; 0]);
}

#[test]
fn a_start_waits_while_the_directory_has_another_writer() {
    let tasks = Tasks::new();
    run(async {
        let mut controller = tasks.controller("x").await;
        controller.prepare().await.unwrap();
        let lock = locked(&tasks.dir());
        timeout(BEGINS, controller.start()).await.unwrap_err();
        assert!(!tasks.dir().join("keeper.json").exists());
        drop(lock);
        controller.start().await.unwrap();
        controller.wait().await.unwrap();
        controller.remove().await.unwrap();
    });
}
