//! A worker that is killed while it renews its certificate again and again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use support::authority::Authority;
use support::ca::Ca;
use support::dispatcher::{LIMIT, first};
use support::worker::{Manager, NODE, joined};
use swarm_worker::credentials::Credentials;
use swarm_worker::wire::issuance_status::State;
use swarm_worker::wire::{Certificate, IssuanceStatus, Node, SessionMessage};
use tokio::time::{Instant, sleep, timeout};

/// How often the worker is killed. Default: 5.
fn kills() -> u32 {
    std::env::var("ONWARD_KILLS").map_or(5, |kills| kills.parse().unwrap())
}

/// Asks the node to renew its certificate.
fn rotate(session: &str) -> SessionMessage {
    let status = Some(IssuanceStatus { state: State::Rotate.into(), err: String::new() });
    let certificate = Some(Certificate { status, ..Default::default() });
    SessionMessage { node: Some(Node { certificate, ..Default::default() }), ..first(session) }
}

fn run(dir: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    command.args(["run", "--runtime", "noop", "--state"]).arg(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// The files of the state directory.
fn names(dir: &Path) -> BTreeSet<String> {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_during_renewals_always_has_one_whole_identity() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let mut manager = Manager::start_with_ca(&authority, &ca);
    let dir = joined(&authority, &[manager.address()]);
    let mut certificates = BTreeSet::new();
    for number in 0..kills() {
        let mut worker = run(dir.path());
        let id = number.to_string();
        let mut opened = manager.dispatcher.open(&id, vec![]).await;
        let before = ca.issued();
        // At any moment of the first renewals.
        let moment = Duration::from_micros(u64::from(number) * 37_919 % 150_000);
        let (began, mut end) = (Instant::now(), None);
        while end.is_none_or(|end| Instant::now() < end) {
            assert!(began.elapsed() < LIMIT, "no renewal within {LIMIT:?}");
            _ = opened.session.send(Ok(rotate(&id)));
            // A rotation has the worker open its session again.
            if let Some((_, session)) = manager.dispatcher.sessions.now() {
                session.send(Ok(first(&id))).unwrap();
                opened.session = session;
            }
            if end.is_none() && ca.issued() > before {
                end = Some(Instant::now() + moment);
            }
            sleep(Duration::from_millis(1)).await;
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
        let identity = Credentials::load(dir.path()).unwrap().identity();
        assert_eq!(identity.node_id(), NODE);
        certificates.insert(identity.certificate().pem());
    }
    assert!(certificates.len() > 1, "no renewal was stored");
    // Nothing is left of a file that was being written.
    let mut worker = run(dir.path());
    let opened = manager.dispatcher.open("last", vec![]).await;
    opened.session.send(Ok(rotate("last"))).unwrap();
    let cleaned = async {
        while names(dir.path()).iter().any(|name| name.starts_with(".identity-")) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, cleaned).await.expect("unfinished files are removed");
    worker.kill().unwrap();
    worker.wait().unwrap();
}
