//! The files of an identity: damaged, foreign, on a full disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use support::authority::{Authority, USUAL};
use support::ca::{Ca, Reply};
use support::manager::FakeManager;
use support::small_disk::SmallDisk;
use support::state::state;
use swarm_worker::certificate::{NodeCertificate, Roots};
use swarm_worker::credentials::Credentials;
use swarm_worker::identity::{self, Identity, PrivateKey};
use swarm_worker::join::join;
use swarm_worker::renewal::renew_once;
use swarm_worker::wire::node_spec::Availability;
use swarm_worker::wire::{Peer, SessionMessage, WeightedPeer};
use tempfile::TempDir;

const NODE: &str = "node.pem";
const ROOT: &str = "root.pem";

fn node(authority: &Authority, validity: std::ops::Range<i64>) -> Identity {
    let key = PrivateKey::generate().unwrap();
    let request = key.request().unwrap();
    let certificate = authority.worker(request.as_bytes(), "node", validity);
    let certificate = NodeCertificate::from_pem(certificate.as_bytes()).unwrap();
    let roots = Roots::from_pem(authority.pem().as_bytes()).unwrap();
    Identity::new(key, certificate, roots, vec!["192.0.2.1:2377".to_owned()]).unwrap()
}

/// A state directory with a node.
fn stored() -> TempDir {
    let dir = state();
    node(&Authority::new(), USUAL).store(dir.path()).unwrap();
    dir
}

/// Reads a directory, which must fail. The error has no part of the key.
#[track_caller]
fn check(dir: &TempDir, key: &str, expected: &str) {
    let error = Credentials::load(dir.path()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(expected), "expected {expected:?} in: {text}");
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!text.contains(line), "{text}");
    }
}

/// The lines of the private key in a file.
fn key(dir: &TempDir) -> String {
    let text = fs::read_to_string(dir.path().join(NODE)).unwrap();
    text.split_inclusive("END PRIVATE KEY-----\n").next().unwrap().to_owned()
}

#[test]
fn a_stored_identity_is_read_again() {
    let dir = state();
    let stored = node(&Authority::new(), USUAL);
    stored.store(dir.path()).unwrap();
    let read = Identity::load(dir.path()).unwrap();
    assert_eq!(read.certificate().pem(), stored.certificate().pem());
    assert_eq!(read.roots(), stored.roots());
    assert_eq!(read.managers(), stored.managers());
    assert_eq!(read.tls_info(), stored.tls_info());
    let debug = format!("{read:?}");
    for line in key(&dir).lines() {
        assert!(!debug.contains(line), "{debug}");
    }
}

#[test]
fn a_half_written_file_is_refused_at_every_length() {
    for name in [NODE, ROOT] {
        let dir = stored();
        let key = key(&dir);
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            fs::write(&path, &whole[..length]).unwrap();
            check(&dir, &key, name);
        }
    }
}

#[test]
fn a_certificate_without_its_end_or_with_a_damaged_begin_is_refused_in_words() {
    let dir = stored();
    let key = key(&dir);
    let path = dir.path().join(NODE);
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        ("-----END CERTIFICATE-----", "", "PEM: the line -----END CERTIFICATE----- is missing"),
        ("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE", "PEM: a line -----BEGIN …----- is damaged"),
    ] {
        fs::write(&path, whole.replace(from, to)).unwrap();
        check(&dir, &key, expected);
    }
}

#[test]
fn a_damaged_key_is_refused() {
    let dir = stored();
    let key = key(&dir);
    let path = dir.path().join(NODE);
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        ("PRIVATE KEY", "SECRET", "no private key"),
        ("MIGH", "MIGI", "the private key is damaged"),
        ("MIGH", "-----", "the private key is damaged"),
        ("MIGH", "\u{e4}", "the private key is damaged"),
    ] {
        fs::write(&path, whole.replace(from, to)).unwrap();
        check(&dir, &key, expected);
    }
}

#[test]
fn the_certificate_of_another_node_is_refused() {
    let dir = stored();
    let path = dir.path().join(NODE);
    let other = fs::read_to_string(stored().path().join(NODE)).unwrap();
    let (_, certificate) = other.split_once("END PRIVATE KEY-----\n").unwrap();
    let authority = Authority::new();
    let own = node(&authority, USUAL);
    own.store(dir.path()).unwrap();
    let key = key(&dir);
    let foreign = node(&authority, USUAL).certificate().pem();
    fs::write(&path, format!("{key}{foreign}")).unwrap();
    check(&dir, &key, "for another key");
    fs::write(&path, format!("{key}{certificate}")).unwrap();
    check(&dir, &key, "not issued by this swarm");
}

#[test]
fn the_roots_of_another_swarm_are_refused() {
    let dir = stored();
    fs::copy(stored().path().join(ROOT), dir.path().join(ROOT)).unwrap();
    check(&dir, &key(&dir), "not issued by this swarm");
    fs::remove_file(dir.path().join(ROOT)).unwrap();
    check(&dir, &key(&dir), "the file is missing");
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    let dir = state();
    node(&Authority::new(), -86400..-60).store(dir.path()).unwrap();
    check(&dir, &key(&dir), "set the clock if it is wrong, or else leave the swarm");
    node(&Authority::new(), 82800..864_000).store(dir.path()).unwrap();
    check(&dir, &key(&dir), "set the clock");
}

#[test]
fn files_that_others_can_read_are_refused() {
    let dir = stored();
    let path = dir.path().join(NODE);
    for mode in [0o640, 0o604, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        check(&dir, &key(&dir), &format!("it has the mode {mode:03o}"));
    }
    let elsewhere = stored();
    let key = key(&elsewhere);
    fs::remove_file(&path).unwrap();
    symlink(elsewhere.path().join(NODE), &path).unwrap();
    check(&dir, &key, NODE);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check(&dir, &key, "it is no regular file");
}

#[test]
fn a_directory_without_a_node_is_told() {
    let dir = state();
    let error = Credentials::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("join one first"), "{error}");
    assert!(!identity::exists(dir.path()));
}

#[test]
fn leaving_removes_every_file_also_unfinished_ones() {
    let dir = stored();
    fs::write(dir.path().join(".identity-abcdef"), "half a key").unwrap();
    fs::write(dir.path().join("tasks.redb"), "not the identity's").unwrap();
    assert!(identity::exists(dir.path()));
    identity::forget(dir.path()).unwrap();
    identity::forget(dir.path()).unwrap();
    assert!(!identity::exists(dir.path()));
    let left: Vec<_> = dir.path().read_dir().unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["tasks.redb"]);
}

#[tokio::test]
async fn a_full_disk_is_noticed_before_a_manager_is_asked() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let manager = FakeManager::start(&authority, &ca);
    let disk = SmallDisk::new(256);
    disk.fill();
    let token = authority.token();
    let error =
        join(&manager.address, &token, disk.path(), Availability::Active).await.unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_eq!(ca.issued(), 0);
    disk.free();
    join(&manager.address, &token, disk.path(), Availability::Active).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_fills_up_during_a_join_has_no_part_of_an_identity() {
    let authority = Arc::new(Authority::new());
    let disk = Arc::new(SmallDisk::new(256));
    let mut ca = Ca::new(&authority);
    let usual = std::mem::replace(&mut ca.status, Box::new(|_, _| Reply::Never));
    let filled = Arc::clone(&disk);
    ca.status = Box::new(move |request, count| {
        if count == 0 {
            filled.fill();
        }
        usual(request, count)
    });
    let manager = FakeManager::start(&authority, &Arc::new(ca));
    let token = authority.token();
    let joining = join(&manager.address, &token, disk.path(), Availability::Active);
    let error = joining.await.unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    assert!(error.contains("docker node rm fakenode"), "{error}");
    disk.free();
    assert_eq!(disk.path().read_dir().unwrap().count(), 0);
    join(&manager.address, &token, disk.path(), Availability::Active).await.unwrap();
}

#[tokio::test]
async fn a_renewal_on_a_full_disk_is_used_and_stored_later() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let manager = FakeManager::start(&authority, &ca);
    let disk = SmallDisk::new(256);
    join(&manager.address, &authority.token(), disk.path(), Availability::Active).await.unwrap();
    let credentials = Credentials::load(disk.path()).unwrap();
    let old = credentials.identity().certificate().pem();
    disk.fill();
    renew_once(&credentials).await.unwrap();
    let new = credentials.identity().certificate().pem();
    assert_ne!(new, old);
    assert_eq!(Identity::load(disk.path()).unwrap().certificate().pem(), old);
    disk.free();
    let peer = Some(Peer { node_id: String::new(), addr: "192.0.2.1:2377".to_owned() });
    let managers = vec![WeightedPeer { peer, weight: 1 }];
    credentials.observe(&SessionMessage { managers, ..Default::default() }).await;
    assert_eq!(Identity::load(disk.path()).unwrap().certificate().pem(), new);
}

#[test]
fn a_new_root_and_a_new_certificate_are_stored_so_that_each_step_leaves_a_whole_identity() {
    let (old, new) = (Authority::new(), Authority::new());
    let dir = state();
    let (before, after) = (node(&old, USUAL), node(&new, USUAL));
    before.store(dir.path()).unwrap();
    // The certificate cannot be written, and the root can.
    let path = dir.path().join(NODE);
    mount_bind(&path, &path).unwrap();
    let stored = after.store(dir.path());
    unmount(&path, UnmountFlags::DETACH).unwrap();
    assert!(stored.unwrap_err().to_string().contains(NODE));
    let read = Identity::load(dir.path()).unwrap();
    assert_eq!(read.certificate().pem(), before.certificate().pem());
    after.store(dir.path()).unwrap();
    let read = Identity::load(dir.path()).unwrap();
    assert_eq!(read.certificate().pem(), after.certificate().pem());
    assert_eq!(read.roots().pem(), after.roots().pem());
}
