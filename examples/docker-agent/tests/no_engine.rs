//! Engines that cannot be used: unreachable, forbidden, too old, or no engines at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::future::Future;
use std::thread;

use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use onward::exec::Executor as _;
use rustix::thread::set_thread_uid;
use support::engine::engine;
use support::life::{Life, shell};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Checks that a task waits for this engine, and has all these words in its error.
async fn waits(engine: Engine, words: &[&str]) {
    let executor = DockerExecutor::new(engine, "no-engine");
    let life = Life::begin(&executor, "no-engine", shell("exit 0"));
    let status = life.until("refused", |status| status.err.is_some()).await;
    assert_eq!(status.state, TaskState::Preparing);
    let err = status.err.unwrap();
    for words in words {
        assert!(err.contains(words), "{words} is not in: {err}");
    }
    assert!(executor.list().await.unwrap_err().is_temporary());
}

/// A server that answers every request with this.
async fn server(answer: impl Into<String>) -> Engine {
    let answer = answer.into();
    server_of(move |_| answer.clone()).await
}

/// A server that answers every request with what this returns for it.
async fn server_of(answer: impl Fn(&str) -> String + Send + 'static) -> Engine {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = client.read(&mut request).await.unwrap_or(0);
            let answer = answer(&String::from_utf8_lossy(request.get(..read).unwrap()));
            tokio::spawn(async move {
                _ = client.write_all(answer.as_bytes()).await;
                _ = client.shutdown().await;
                // Until the client has read it.
                _ = client.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    Engine::new(format!("tcp://{address}"))
}

/// An HTTP answer.
fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_task_waits_for_an_engine_that_is_not_reached() {
    let words = ["no Docker engine answers at unix:///no/such/socket", "No such file"];
    waits(Engine::new("unix:///no/such/socket"), &words).await;
    waits(Engine::new("nonsense"), &["\"nonsense\" is no address of an engine; use unix://PATH"])
        .await;
    waits(Engine::new("ssh://far:22"), &["ssh://far:22 has a port", "~/.ssh/config"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    waits(Engine::new(&*address), &[&address, "Connection refused"]).await;
}

#[tokio::test]
async fn a_task_waits_for_an_engine_that_answers_nonsense() {
    let no_engine = "no Docker engine answers at tcp://127.0.0.1:";
    waits(server("").await, &[no_engine]).await;
    waits(server("nonsense\r\n\r\n").await, &[no_engine]).await;
    waits(server(http("200 OK", "<html>")).await, &[no_engine]).await;
    waits(server(http("200 OK", "{}")).await, &[no_engine]).await;
    waits(server(http("200 OK", r#"{"ApiVersion": "new"}"#)).await, &[no_engine]).await;
    waits(server(http("200 OK", r#"{"ApiVersion": 7}"#)).await, &[no_engine]).await;
    waits(server(http("404 Not Found", "no such page")).await, &[no_engine, "no such page"]).await;
    let broken = r#"{"message": "the disk is gone"}"#;
    let broken = http("500 Internal Server Error", broken);
    waits(server(broken).await, &[no_engine, "the disk is gone"]).await;
}

#[tokio::test]
async fn a_task_waits_for_an_engine_that_answers_nonsense_after_its_version() {
    for (nonsense, words) in [
        (String::new(), "cannot be inspected"),
        ("nonsense\r\n\r\n".to_owned(), "cannot be inspected"),
        (http("200 OK", "<html>"), "cannot be inspected"),
        (http("200 OK", "{}"), "a container without an id or a state"),
        (http("200 OK", r#"{"Id": 7, "State": "on"}"#), "cannot be inspected"),
        (http("400 Bad Request", "what?"), "what?"),
        (http("302 Found", ""), "cannot be inspected"),
    ] {
        let engine = server_of(move |request| {
            if request.contains("/version") {
                return http("200 OK", r#"{"ApiVersion": "1.41"}"#);
            }
            nonsense.clone()
        });
        waits(engine.await, &[words]).await;
    }
}

#[tokio::test]
async fn a_task_waits_for_an_engine_that_is_too_old() {
    for version in ["1.24", "1.40"] {
        let has = format!("has version {version} of the API, which is too old");
        let answer = http("200 OK", &format!(r#"{{"ApiVersion": "{version}"}}"#));
        waits(server(answer).await, &[&has, "version 1.41 is needed (Docker 20.10)"]).await;
    }
}

/// Runs a future in a thread of another user. The thread is not used for anything else.
fn as_another_user(job: impl Future<Output = ()> + Send) {
    let job = || {
        set_thread_uid(rustix::thread::Uid::from_raw(65534)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(job);
    };
    thread::scope(|scope| scope.spawn(job).join().unwrap());
}

#[test]
fn a_task_waits_for_an_engine_whose_socket_it_may_not_use() {
    let Some(engine) = engine("a_task_waits_for_an_engine_whose_socket_it_may_not_use") else {
        return;
    };
    if !engine.host().starts_with("unix://") {
        return;
    }
    as_another_user(async {
        let words = [engine.host(), "run the agent as root", "Permission denied"];
        waits(Engine::from_env(), &words).await;
    });
    // The socket can be in a directory that the user may not enter.
    let hidden = tempfile::tempdir().unwrap();
    let path = hidden.path().join("docker.sock");
    std::os::unix::fs::symlink(engine.host().strip_prefix("unix://").unwrap(), &path).unwrap();
    let host = format!("unix://{}", path.display());
    as_another_user(async {
        waits(Engine::new(&*host), &[&host, "run the agent as root", "Permission denied"]).await;
    });
}
