//! Joining, renewal and root rotation with a real manager.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use support::node::hold_session;
use support::state::state;
use support::swarm::{Swarm, swarm};
use swarm_worker::credentials::Credentials;
use swarm_worker::identity::Identity;
use swarm_worker::join::{JoinError, join};
use swarm_worker::renewal::renew_once;
use swarm_worker::wire::node_spec::Availability;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// One test at a time: a root rotation waits for all nodes.
static TURN: Mutex<()> = Mutex::const_new(());

const LIMIT: Duration = Duration::from_secs(60);

async fn joined(swarm: &Swarm) -> (TempDir, Identity) {
    let dir = state();
    let identity = join(&swarm.address, &swarm.token(), dir.path(), Availability::Active).await;
    (dir, identity.unwrap())
}

#[tokio::test]
async fn a_node_joins_and_its_identity_is_read_again() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("a_node_joins_and_its_identity_is_read_again") else { return };
    let (dir, identity) = joined(&swarm).await;
    let node = swarm.node(identity.node_id());
    assert_eq!(node["Spec"]["Role"], "worker");
    assert_eq!(identity.managers(), [swarm.address.to_string()]);
    for entry in dir.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    let read = Identity::load(dir.path()).unwrap();
    assert_eq!(read.node_id(), identity.node_id());
    assert_eq!(read.tls_info(), identity.tls_info());
    let again = join(&swarm.address, &swarm.token(), dir.path(), Availability::Active).await;
    assert!(matches!(again, Err(JoinError::Joined { .. })), "{again:?}");
    swarm.remove_node(identity.node_id());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_at_once() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("a_wrong_secret_is_refused_at_once") else { return };
    let token = swarm.token();
    let (start, _) = token.expose().rsplit_once('-').unwrap();
    let wrong = format!("{start}-{}", "0".repeat(25)).parse().unwrap();
    let dir = state();
    let error = join(&swarm.address, &wrong, dir.path(), Availability::Active).await.unwrap_err();
    assert!(error.to_string().contains("A valid join token is necessary"), "{error}");
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_token_that_was_rotated_is_refused_at_once() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("a_token_that_was_rotated_is_refused_at_once") else { return };
    let old = swarm.token();
    swarm.docker(&["swarm", "join-token", "--rotate", "worker"]);
    let dir = state();
    let error = join(&swarm.address, &old, dir.path(), Availability::Active).await.unwrap_err();
    assert!(error.to_string().contains("A valid join token is necessary"), "{error}");
}

/// The shortest validity that a manager can be told. Half of it is over at once, since it starts an
/// hour earlier. So the renewal is due between now and in 36 minutes.
#[tokio::test]
async fn the_shortest_certificate_is_renewed() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("the_shortest_certificate_is_renewed") else { return };
    // Without a rotation, a manager uses another validity only after a restart.
    swarm.docker(&["swarm", "ca", "--rotate", "--quiet", "--cert-expiry", "1h"]);
    let (dir, identity) = joined(&swarm).await;
    let certificate = identity.certificate();
    assert_eq!((certificate.not_after() - certificate.not_before()).whole_minutes(), 120);
    let credentials = Credentials::load(dir.path()).unwrap();
    timeout(LIMIT, renew_once(&credentials)).await.expect("the renewal ends").unwrap();
    swarm.remove_node(identity.node_id());
    swarm.docker(&["swarm", "ca", "--rotate", "--quiet", "--cert-expiry", "2160h"]);
}

#[tokio::test]
async fn a_certificate_is_renewed_while_the_session_goes_on() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("a_certificate_is_renewed_while_the_session_goes_on") else { return };
    let (dir, identity) = joined(&swarm).await;
    let credentials = Credentials::load(dir.path()).unwrap();
    let session = Box::pin(hold_session(&credentials));
    let renewal = async {
        ready(&swarm, identity.node_id()).await;
        timeout(LIMIT, renew_once(&credentials)).await.expect("the renewal ends").unwrap();
        sleep(Duration::from_secs(6)).await;
    };
    tokio::select! {
        ended = session => panic!("the session has ended: {ended:?}"),
        () = renewal => {}
    }
    let renewed = Identity::load(dir.path()).unwrap();
    assert_eq!(renewed.node_id(), identity.node_id());
    assert_ne!(renewed.certificate().pem(), identity.certificate().pem());
    assert_eq!(swarm.node(identity.node_id())["Status"]["State"], "ready");
    swarm.remove_node(identity.node_id());
    // The manager does not know the certificate any more.
    let error = timeout(LIMIT, renew_once(&credentials)).await.expect("it ends").unwrap_err();
    assert!(error.to_string().contains("the manager refuses"), "{error}");
}

#[tokio::test]
async fn a_root_rotation_ends_and_new_nodes_can_join() {
    let _turn = TURN.lock().await;
    let Some(swarm) = swarm("a_root_rotation_ends_and_new_nodes_can_join") else { return };
    let old_token = swarm.token();
    let (dir, identity) = joined(&swarm).await;
    let credentials = Credentials::load(dir.path()).unwrap();
    let session = Box::pin(hold_session(&credentials));
    let rotation = async {
        ready(&swarm, identity.node_id()).await;
        let rotating = swarm.clone();
        let rotated = tokio::task::spawn_blocking(move || {
            rotating.docker(&["swarm", "ca", "--rotate", "--quiet"])
        });
        timeout(LIMIT, rotated).await.expect("the rotation ends").unwrap()
    };
    tokio::select! {
        ended = session => panic!("the session has ended: {ended:?}"),
        _ = rotation => {}
    }
    let root = swarm.docker(&["swarm", "ca"]);
    let rotated = Identity::load(dir.path()).unwrap();
    assert_eq!(String::from_utf8_lossy(rotated.roots().pem()).trim(), root.trim());
    assert_ne!(rotated.roots(), identity.roots());
    // The manager has no ALPN any more.
    timeout(LIMIT, renew_once(&credentials)).await.expect("the renewal ends").unwrap();
    swarm.remove_node(identity.node_id());
    let dir = state();
    let error =
        join(&swarm.address, &old_token, dir.path(), Availability::Active).await.unwrap_err();
    assert!(matches!(error, JoinError::OtherDigest { .. }), "{error}");
    let (_dir, newer) = joined(&swarm).await;
    swarm.remove_node(newer.node_id());
}

/// Waits until the manager reports the node as ready.
async fn ready(swarm: &Swarm, node: &str) {
    let end = Instant::now() + LIMIT;
    while swarm.node(node)["Status"]["State"] != "ready" {
        assert!(Instant::now() < end, "the node is not ready within {LIMIT:?}");
        sleep(Duration::from_millis(100)).await;
    }
}
