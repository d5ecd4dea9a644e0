//! The chain of a recorded root rotation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

use std::fs;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use swarm_worker::certificate::Roots;
use swarm_worker::tls::verifier;

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_old_root_trusts_the_manager_during_a_rotation() {
    let roots = Roots::from_pem(&read("rotation-old-root.pem")).unwrap();
    let pem = read("rotation-manager-chain.pem");
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect();
    // 28 November 2026, noon.
    let recorded = UnixTime::since_unix_epoch(Duration::from_secs(1_795_867_200));
    let verifier = verifier(&roots).unwrap();
    for name in ["swarm-manager", "swarm-ca"] {
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], recorded).unwrap();
        // Without the second certificate, the first is that of another swarm.
        verifier.verify_server_cert(&chain[0], &[], &name, &[], recorded).unwrap_err();
    }
    let worker = ServerName::try_from("swarm-worker").unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &worker, &[], recorded).unwrap_err();
}
