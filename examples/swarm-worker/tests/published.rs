//! The lines of logs, as they reach the manager.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use onward::exec::{LogMessage, LogPublisher as _, LogPublisherProvider as _};
use prost::Message as _;
use support::authority::Authority;
use support::log_broker::UNREAD;
use support::worker::{Manager, NODE, joined};
use swarm_worker::credentials::Credentials;
use swarm_worker::subscriptions::LogBroker;
use tempfile::TempDir;
use tokio::time::timeout;

/// The most bytes of a message that a manager takes.
const LARGEST: usize = 4 << 20;

/// The longest piece of a line that a runtime reads.
const PIECE: usize = 16 << 10;

/// A line that takes longer is held back.
const WHILE: Duration = Duration::from_secs(2);

async fn broker() -> (Manager, LogBroker, TempDir) {
    let authority = Authority::new();
    let manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let credentials = Credentials::load(dir.path()).unwrap();
    let connection = credentials.connect(&manager.address()).await.unwrap();
    (manager, LogBroker::new(connection.log_broker(), NODE.to_owned()), dir)
}

#[tokio::test]
async fn every_line_has_a_time_and_belongs_to_a_task_of_this_node() {
    let (mut manager, broker, _dir) = broker().await;
    let publisher = broker.publisher("1").await.unwrap();
    let mut of_task = publisher.of_task("t", "s");
    // A manager shows an error in place of a line without a time.
    of_task.publish(LogMessage::stderr("the first\nthe second\n")).await.unwrap();
    drop(of_task);
    publisher.finish().await;
    let lines = manager.logs.until_close("1").await;
    assert_eq!(lines.len(), 2);
    for line in lines {
        let context = line.context.unwrap();
        assert_eq!((&*context.task_id, &*context.service_id, &*context.node_id), ("t", "s", NODE));
        assert!(line.timestamp.unwrap().seconds > 1 << 30);
    }
}

#[tokio::test]
async fn no_message_is_larger_than_a_manager_takes() {
    let (mut manager, broker, _dir) = broker().await;
    let publisher = broker.publisher("1").await.unwrap();
    let mut of_task = publisher.of_task("t", "s");
    for _ in 0..200 {
        let line = LogMessage::stdout(vec![b'x'; PIECE]);
        let line = line.with_attribute("LARGE", "y".repeat(100 << 10));
        of_task.publish(line).await.unwrap();
    }
    drop(of_task);
    let finishing = tokio::spawn(publisher.finish());
    let mut count = 0;
    loop {
        let message = manager.logs.published.next().await;
        assert!(message.encoded_len() < LARGEST, "{}", message.encoded_len());
        count += message.messages.len();
        if message.close {
            break;
        }
    }
    assert_eq!(count, 200);
    finishing.await.unwrap();
}

#[tokio::test]
async fn a_manager_that_does_not_read_holds_back_a_log_and_is_given_up_after_its_end() {
    let (mut manager, broker, _dir) = broker().await;
    let publisher = broker.publisher(UNREAD).await.unwrap();
    let mut of_task = publisher.of_task("t", "s");
    let mut count = 0;
    let line = LogMessage::stdout(vec![b'x'; PIECE]);
    while let Ok(published) = timeout(WHILE, of_task.publish(line.clone())).await {
        published.unwrap();
        count += 1;
        assert!(count < 1000, "{count} lines of 16 KiB are in memory");
    }
    drop((of_task, publisher));
    manager.logs.given_up.next().await;
}
