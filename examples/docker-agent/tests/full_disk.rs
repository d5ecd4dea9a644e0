//! An engine whose disk is full for a while.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs::{self, File};
use std::io::Write as _;

use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use support::engine::OwnEngine;
use support::life::{Life, shell};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_an_engine_whose_disk_is_full() {
    let test = "a_task_waits_for_an_engine_whose_disk_is_full";
    let Some(own) = OwnEngine::start_on_small_disk(test) else { return };
    let executor = DockerExecutor::new(own.engine(), "full-disk");
    let filler = own.dir().join("data/filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let life = Life::begin(&executor, "full", shell("exit 0"));
    let is_refused = |err: &str| err.contains("no space left on device");
    let status =
        life.until("refused", |status| status.err.as_deref().is_some_and(is_refused)).await;
    assert_eq!(status.state, TaskState::Preparing);
    fs::remove_file(filler).unwrap();
    assert_eq!(life.ends().await.state, TaskState::Complete);
    life.remove().await;
}
