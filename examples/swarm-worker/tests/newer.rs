//! State directories that a newer version of the program has written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use agent_kit::spec::TaskSpec;
use onward::Assignment;
use onward::agent::store::{Migration, StoreChange, TaskRecord};
use onward::agent::{RedbStore, Store as _};
use serde_json::{Value, json};
use support::authority::Authority;
use support::worker::joined;
use tempfile::TempDir;

const NEWER: Migration = |definition| Ok(definition);

fn dir() -> TempDir {
    joined(&Authority::new(), &["127.0.0.1:1".parse().unwrap()])
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    files.map(read).collect()
}

/// Runs both subcommands that open the state. Each fails with these words, and changes nothing.
#[track_caller]
fn is_refused(dir: &Path, words: &str) {
    let before = files(dir);
    for arguments in [&["run", "--runtime", "noop"][..], &["leave"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
        let done = command.args(arguments).arg("--state").arg(dir).output().unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
        assert!(files(dir) == before, "{arguments:?}: a file has changed");
    }
}

/// What an earlier `run` has stored.
fn last_run(dir: &Path) {
    fs::write(dir.join("runtime.json"), r#"{"node_id":"n","runtime":"noop"}"#).unwrap();
}

fn offload(work: Box<dyn FnOnce() + Send>) {
    drop(tokio::task::spawn_blocking(work));
}

#[tokio::test]
async fn a_store_with_newer_definitions_is_refused_and_not_changed() {
    let dir = dir();
    last_run(dir.path());
    let options = RedbStore::<Value>::options().with_migrations(&[NEWER]);
    let store: RedbStore<Value> =
        options.open(dir.path().join("tasks.redb"), offload).await.unwrap();
    store.close().await.unwrap();
    is_refused(dir.path(), "a newer agent has written this store");
}

#[tokio::test]
async fn a_task_of_a_kind_that_only_a_newer_version_knows_is_refused_and_not_changed() {
    let dir = dir();
    last_run(dir.path());
    let path = dir.path().join("tasks.redb");
    let store = RedbStore::<TaskSpec<Value>>::open(path, offload).await.unwrap();
    let definition = json!({
        "id": "t", "name": "web.1.t", "slot": 1, "node_id": "n", "has_credentials": false,
        "service": { "id": "s", "name": "web", "labels": {} }, "workload": { "machine": {} },
    });
    let assigned_at = time::UtcDateTime::UNIX_EPOCH;
    let spec = TaskSpec { definition, assigned_at, is_stopped_by_exit: false };
    let record = TaskRecord::new(Assignment::new("t", spec));
    store.commit(&[StoreChange::Record(Arc::new(record))]).await.unwrap();
    store.close().await.unwrap();
    is_refused(dir.path(), "machine");
}

#[test]
fn a_runtime_that_only_a_newer_version_knows_is_refused_and_no_task_is_forgotten() {
    let dir = dir();
    let newer = r#"{"node_id":"n","runtime":"machine"}"#;
    fs::write(dir.path().join("runtime.json"), newer).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    let done = command.arg("leave").arg("--state").arg(dir.path()).output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{error}");
    assert!(error.contains("newer version") && error.contains("machine"), "{error}");
    assert!(dir.path().join("node.pem").exists());
    assert_eq!(fs::read_to_string(dir.path().join("runtime.json")).unwrap(), newer);
}
