//! The description of a node whose engine changes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use agent_kit::board::Board;
use docker_agent::engine::Engine;
use onward::agent::MemoryStore;
use serde_json::json;
use support::authority::Authority;
use support::dispatcher::first;
use support::fake_engine::{FakeEngine, info};
use support::worker::{Manager, NODE, joined};
use swarm_worker::credentials::Credentials;
use swarm_worker::dependencies::SwarmDependencies;
use swarm_worker::description::NodeSettings;
use swarm_worker::runtime::SwarmExecutor;
use swarm_worker::worker::Worker;

#[tokio::test]
async fn a_change_of_the_engine_reaches_the_manager_in_the_same_session() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let engine = FakeEngine::start(|_| None);
    let (settings, dependencies) = (NodeSettings::default(), SwarmDependencies::new());
    let client = Engine::new(engine.host());
    let files = dir.path().join("files");
    let executor = SwarmExecutor::docker(client, NODE, files, settings, dependencies.clone());
    let credentials = Credentials::load(dir.path()).unwrap();
    let (store, board) = (MemoryStore::new(), Arc::new(Board::default()));
    let starting = Worker::start(store, credentials, executor, dependencies, board, None);
    let worker = starting.await.unwrap();
    let serving = tokio::spawn(async move { worker.serve().await });
    let opened = manager.dispatcher.open("one", vec![]).await;
    let described = opened.request.description.unwrap().engine.unwrap();
    assert_eq!(described.labels.get("disk").unwrap(), "ssd");
    *engine.answer.lock().unwrap() = Box::new(|request| {
        let mut info = info();
        info["Labels"] = json!(["disk=nvme"]);
        (request == "GET /info").then_some((200, info))
    });
    let (request, session) = manager.dispatcher.sessions.next().await;
    assert_eq!(request.session_id, "one");
    let described = request.description.unwrap();
    assert_eq!(described.engine.unwrap().labels.get("disk").unwrap(), "nvme");
    assert!(described.tls_info.is_some());
    session.send(Ok(first("one"))).unwrap();
    serving.abort();
}
