//! Joining, renewal and rotation with a fake manager.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use support::authority::{Authority, USUAL};
use support::ca::{Ca, Reply, issued};
use support::manager::FakeManager;
use support::state::state;
use swarm_worker::credentials::Credentials;
use swarm_worker::identity::Identity;
use swarm_worker::join::join;
use swarm_worker::renewal::{renew, renew_once};
use swarm_worker::wire::issuance_status::State;
use swarm_worker::wire::node_spec::Availability;
use swarm_worker::wire::{
    Certificate, IssuanceStatus, Node, NodeCertificateStatusResponse, Peer, SessionMessage,
    WeightedPeer,
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::Status;

/// Longer than any wait of a test.
const LIMIT: Duration = Duration::from_secs(60);

struct Joined {
    authority: Arc<Authority>,
    manager: FakeManager,
    ca: Arc<Ca>,
    dir: TempDir,
}

/// Joins a manager with these answers.
async fn joined(change: impl FnOnce(&Arc<Authority>, &mut Ca)) -> Joined {
    let authority = Arc::new(Authority::new());
    let mut ca = Ca::new(&authority);
    change(&authority, &mut ca);
    let ca = Arc::new(ca);
    let manager = FakeManager::start(&authority, &ca);
    let dir = state();
    let token = authority.token();
    let joining = join(&manager.address, &token, dir.path(), Availability::Active);
    timeout(LIMIT, joining).await.expect("the join ends").unwrap();
    Joined { authority, manager, ca, dir }
}

fn credentials(joined: &Joined) -> Credentials {
    Credentials::load(joined.dir.path()).unwrap()
}

fn status(state: State) -> NodeCertificateStatusResponse {
    let status = Some(IssuanceStatus { state: state.into(), err: String::new() });
    NodeCertificateStatusResponse { status, certificate: None }
}

fn rotate() -> SessionMessage {
    let status = Some(IssuanceStatus { state: State::Rotate.into(), err: String::new() });
    let certificate = Some(Certificate { status, ..Default::default() });
    SessionMessage { node: Some(Node { certificate, ..Default::default() }), ..Default::default() }
}

/// Runs the renewal until the identity has changed.
async fn changed(credentials: &Credentials) -> Arc<Identity> {
    let mut changes = credentials.changes();
    changes.mark_unchanged();
    let changed = async {
        tokio::select! {
            never = renew(credentials.clone()) => match never {},
            changed = changes.changed() => changed.unwrap(),
        }
    };
    timeout(LIMIT, changed).await.expect("the certificate is renewed");
    credentials.identity()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_logs_why_a_join_waits() {
    let authority = Arc::new(Authority::new());
    let mut ca = Ca::new(&authority);
    let never = Box::new(|_: &_, _| Reply::Fail(Status::unavailable("no leader")));
    let usual = std::mem::replace(&mut ca.issue, never);
    ca.issue = Box::new(move |request, count| match count {
        0 => Reply::Fail(Status::unavailable("no leader")),
        _ => usual(request, count),
    });
    let manager = FakeManager::start(&authority, &Arc::new(ca));
    let dir = state();
    let mut program = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    program.args(["join", "--token", authority.token().expose()]);
    program.arg(manager.address.to_string()).arg("--state").arg(dir.path());
    program.env("RUST_LOG", "warn");
    let joining = spawn_blocking(move || program.output().unwrap());
    let output = timeout(LIMIT, joining).await.expect("the join ends").unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(error.contains("cannot join yet, trying again"), "{error}");
    assert!(error.contains("no leader"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_a_day_ahead_is_told_and_the_node_is_made() {
    let day = 24 * 3600;
    let authority = Arc::new(Authority::new());
    let mut ca = Ca::new(&authority);
    let issuer = authority.clone();
    // What a manager issues whose clock is a day behind this one's.
    ca.status = Box::new(move |(request, node), _| {
        issued(request, &issuer.worker(request, node, USUAL.start - day..USUAL.end - day))
    });
    let manager = FakeManager::start(&authority, &Arc::new(ca));
    let dir = state();
    let mut program = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    program.args(["join", "--token", authority.token().expose()]);
    program.arg(manager.address.to_string()).arg("--state").arg(dir.path());
    program.env_remove("RUST_LOG");
    let joining = spawn_blocking(move || program.output().unwrap());
    let output = timeout(LIMIT, joining).await.expect("the join ends").unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(error.contains("and the manager's about"), "{error}");
    assert!(error.contains("set the clock"), "{error}");
    Credentials::load(dir.path()).unwrap();
}

#[tokio::test]
async fn a_join_waits_for_a_leader_and_for_the_certificate() {
    let joined = joined(|authority, ca| {
        let authority = authority.clone();
        let usual = std::mem::replace(
            &mut ca.issue,
            Box::new(|_, _| Reply::Fail(Status::unavailable("no leader"))),
        );
        ca.issue = Box::new(move |request, count| match count {
            0 => Reply::Fail(Status::unavailable("no leader")),
            _ => usual(request, count),
        });
        ca.status = Box::new(move |(request, node), count| match count {
            0 => Reply::Now(status(State::Pending)),
            1 => Reply::Fail(Status::unavailable("no leader")),
            2 => Reply::Now(NodeCertificateStatusResponse::default()),
            _ => issued(request, &authority.worker(request, node, USUAL)),
        });
    })
    .await;
    // One refused, one accepted: a lost answer to a later call makes no second node.
    assert_eq!(joined.ca.issued(), 2);
    let identity = Identity::load(joined.dir.path()).unwrap();
    assert_eq!(identity.node_id(), "fakenode00000000000000001");
    assert_eq!(identity.managers(), [joined.manager.address.to_string()]);
}

#[tokio::test]
async fn an_old_certificate_is_renewed() {
    let joined = joined(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), count| match count {
            // Nine tenths of the validity are over.
            0 => issued(request, &authority.worker(request, node, -90000..10000)),
            // The certificate of before.
            1 => issued(b"", &authority.worker(request, node, USUAL)),
            _ => issued(request, &authority.worker(request, node, USUAL)),
        });
    })
    .await;
    let credentials = credentials(&joined);
    let before = credentials.identity();
    let after = changed(&credentials).await;
    assert_eq!(after.node_id(), before.node_id());
    assert!(after.certificate().not_after() > before.certificate().not_after());
    let read = Identity::load(joined.dir.path()).unwrap();
    assert_eq!(read.certificate().pem(), after.certificate().pem());
}

#[tokio::test]
async fn a_new_certificate_is_renewed_when_the_manager_wants_it_and_tried_again() {
    let joined = joined(|_, ca| {
        let usual = std::mem::replace(&mut ca.issue, Box::new(|_, _| Reply::Never));
        ca.issue = Box::new(move |request, count| match count {
            1 => Reply::Fail(Status::unavailable("no leader")),
            2 => Reply::Fail(Status::invalid_argument("not yet")),
            _ => usual(request, count),
        });
    })
    .await;
    let credentials = credentials(&joined);
    credentials.observe(&rotate()).await;
    changed(&credentials).await;
    assert_eq!(joined.ca.issued(), 4);
}

#[tokio::test]
async fn a_renewal_asks_another_manager_if_one_is_gone() {
    let joined = joined(|_, _| {}).await;
    let credentials = credentials(&joined);
    let gone = "127.0.0.1:1";
    let managers = [gone, "0.0.0.0:2377", "nonsense:x", &joined.manager.address.to_string()]
        .map(|addr| WeightedPeer {
            peer: Some(Peer { node_id: String::new(), addr: addr.to_owned() }),
            weight: 1,
        })
        .to_vec();
    credentials.observe(&SessionMessage { managers, ..Default::default() }).await;
    let known = [gone.to_owned(), joined.manager.address.to_string()];
    assert_eq!(credentials.identity().managers(), known);
    assert_eq!(Identity::load(joined.dir.path()).unwrap().managers(), known);
    timeout(LIMIT, renew_once(&credentials)).await.expect("the renewal ends").unwrap();
}

#[tokio::test]
async fn a_rotation_goes_from_the_old_root_over_a_chain_to_the_new_root() {
    let new = Arc::new(Authority::new());
    let joined = joined(|old, ca| {
        let (old, new) = (old.clone(), new.clone());
        ca.status = Box::new(move |(request, node), count| {
            if count == 0 {
                return issued(request, &old.worker(request, node, USUAL));
            }
            let certificate = new.worker(request, node, USUAL);
            issued(request, &(certificate + &old.cross_signed(&new)))
        });
    })
    .await;
    let credentials = credentials(&joined);
    let first = credentials.identity().tls_info();
    credentials.observe(&rotate()).await;
    let rotated = changed(&credentials).await;
    assert_eq!(rotated.certificate().chain().len(), 2);
    let second = rotated.tls_info();
    assert_eq!(second.trust_root, first.trust_root);
    assert_eq!(second.cert_issuer_subject, first.cert_issuer_subject);
    assert_ne!(second.cert_issuer_public_key, first.cert_issuer_public_key);
    // The old root still trusts the chain.
    assert_eq!(Identity::load(joined.dir.path()).unwrap().tls_info(), second);
    let root_ca = new.pem().into_bytes();
    credentials.observe(&SessionMessage { root_ca, ..Default::default() }).await;
    let third = credentials.identity().tls_info();
    assert_eq!(third.trust_root, new.pem().into_bytes());
    assert_eq!(third.cert_issuer_public_key, second.cert_issuer_public_key);
    assert_eq!(Identity::load(joined.dir.path()).unwrap().tls_info(), third);
    // The manager with a certificate of the old root is not trusted any more.
    let error = timeout(LIMIT, renew_once(&credentials)).await.expect("it ends").unwrap_err();
    assert!(error.to_string().contains("not issued by the swarm"), "{error}");
}

#[tokio::test]
async fn a_root_that_has_not_issued_the_certificate_is_not_taken() {
    let joined = joined(|_, _| {}).await;
    let credentials = credentials(&joined);
    for root in [Authority::new().pem().into_bytes(), b"nonsense".to_vec()] {
        credentials.observe(&SessionMessage { root_ca: root, ..Default::default() }).await;
        assert_eq!(credentials.identity().roots().pem(), joined.authority.pem().as_bytes());
    }
}
