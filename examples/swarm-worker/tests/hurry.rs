//! A manager whose streams end again and again. The worker must not ask for them without a pause.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use support::authority::Authority;
use support::dispatcher::{complete, first, incremental, update};
use support::worker::{Manager, Running, joined, task};
use swarm_worker::wire::TaskState;

/// The heartbeats that a test waits for: one each half second.
const BEATS: usize = 8;

/// More than a worker with growing pauses asks for meanwhile.
const MANY: usize = 12;

#[tokio::test]
async fn a_gap_after_every_complete_message_is_followed_by_growing_pauses() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let running = Running::start(dir.path()).await;
    let (_, session) = manager.dispatcher.sessions.next().await;
    session.send(Ok(first("one"))).unwrap();
    let dispatcher = &mut manager.dispatcher;
    let (mut beats, mut streams) = (0, 0);
    while beats < BEATS {
        tokio::select! {
            _ = dispatcher.heartbeats.next() => beats += 1,
            (_, assignments) = dispatcher.assignments.next() => {
                streams += 1;
                let web = vec![update(task("web", TaskState::Running))];
                assignments.send(Ok(complete("1", web))).unwrap();
                _ = assignments.send(Ok(incremental("7", "8", vec![])));
            }
        }
    }
    assert!((2..MANY).contains(&streams), "{streams} streams");
    assert!(!session.is_closed(), "the session goes on");
    // What the streams have is applied.
    assert_eq!(running.tasks(), ["web"]);
}

#[tokio::test]
async fn subscriptions_that_end_at_once_are_followed_by_growing_pauses() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let _running = Running::start(dir.path()).await;
    let opened = manager.dispatcher.open("one", vec![]).await;
    let (mut beats, mut streams) = (0, 0);
    while beats < BEATS {
        tokio::select! {
            _ = manager.dispatcher.heartbeats.next() => beats += 1,
            _ended = manager.logs.listeners.next() => streams += 1,
        }
    }
    assert!((2..MANY).contains(&streams), "{streams} streams");
    assert!(!opened.session.is_closed(), "the session goes on");
}
