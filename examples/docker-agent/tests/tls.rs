//! An engine that is reached over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::path::Path;
use std::process::Command;

use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use support::engine::OwnEngine;
use support::life::{Life, shell};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// An authority, and a certificate of it for the server and the client.
const CERTIFICATES: &str = "set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=both -keyout key.pem -out request.pem
printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > extensions
openssl x509 -req -days 2 -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial \\
    -extfile extensions -out cert.pem";

fn make_certificates(dir: &Path) {
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn an_engine_is_reached_over_tls_with_its_certificates_only() {
    let (ours, others) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for dir in [&ours, &others] {
        make_certificates(dir.path());
    }
    let path = |name: &str| ours.path().join(name).display().to_string();
    let host = "tcp://127.0.0.1:2376";
    let flags = [
        "--host",
        host,
        "--tlsverify",
        "--tlscacert",
        &path("ca.pem"),
        "--tlscert",
        &path("cert.pem"),
        "--tlskey",
        &path("key.pem"),
    ];
    let test = "an_engine_is_reached_over_tls_with_its_certificates_only";
    let Some(own) = OwnEngine::start(test, &flags) else { return };
    own.in_its_network(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let executor = DockerExecutor::new(Engine::with_tls(host, ours.path()), "tls");
            let life = Life::begin(&executor, "tls", shell("exit 0"));
            assert_eq!(life.ends().await.state, TaskState::Complete);
            life.remove().await;
            for engine in [Engine::with_tls(host, others.path()), Engine::new(host)] {
                let refused = engine.client().await.unwrap_err();
                assert!(refused.is_temporary(), "{refused:#}");
            }
        });
    });
}
