//! Joins that cannot succeed. In each case the error is in words, has no secret, and nothing is
//! left in the state directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use support::authority::{Authority, SECRET, Server, USUAL, leaf};
use support::ca::{Ca, INVALID, Reply, issued};
use support::manager::{FakeManager, ca_routes};
use support::state::state;
use swarm_worker::connection::Address;
use swarm_worker::join::join;
use swarm_worker::token::JoinToken;
use swarm_worker::wire::issuance_status::State;
use swarm_worker::wire::node_spec::Availability;
use swarm_worker::wire::{
    GetRootCaCertificateResponse, IssuanceStatus, NodeCertificateStatusResponse,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::Status;

/// Longer than any wait of a join.
const LIMIT: Duration = Duration::from_secs(60);

/// Joins, and returns the error.
async fn refused(address: &Address, token: &JoinToken) -> String {
    let dir = state();
    let joining = join(address, token, dir.path(), Availability::Active);
    let error = timeout(LIMIT, joining).await.expect("the join ends").unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "{text}");
    error.to_string()
}

/// Joins a manager with these answers.
async fn refused_by(change: impl FnOnce(&Arc<Authority>, &mut Ca)) -> (String, usize) {
    let authority = Arc::new(Authority::new());
    let mut ca = Ca::new(&authority);
    change(&authority, &mut ca);
    let ca = Arc::new(ca);
    let manager = FakeManager::start(&authority, &ca);
    (refused(&manager.address, &authority.token()).await, ca.issued())
}

/// Joins a manager that shows this certificate.
async fn refused_as(server: impl FnOnce(&Authority) -> Server) -> (String, usize) {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let manager = FakeManager::start_as(&authority, server(&authority), ca_routes(&ca));
    (refused(&manager.address, &authority.token()).await, ca.issued())
}

#[track_caller]
fn check(error: &str, expected: &str) {
    assert!(error.contains(expected), "expected {expected:?} in: {error}");
}

/// Joins a server that does something else than TLS.
async fn refused_by_server(first_bytes: &'static [u8], closes: bool) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(first_bytes).await.unwrap();
                let mut read = [0; 1024];
                while !closes && stream.read(&mut read).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    let error = refused(&address, &Authority::new().token()).await;
    server.abort();
    error
}

#[tokio::test]
async fn a_wrong_secret_is_told_once() {
    let (error, asked) = refused_by(|_, ca| {
        ca.issue = Box::new(|_, _| Reply::Fail(Status::invalid_argument(INVALID)));
    })
    .await;
    check(&error, INVALID);
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_secret_that_the_manager_repeats_is_not_printed() {
    let (error, _) = refused_by(|_, ca| {
        ca.issue = Box::new(|(_, request), _| {
            let secret = request.token.rsplit('-').next().unwrap().to_owned();
            Reply::Fail(Status::permission_denied(format!(
                "{} or {secret}\n\u{1b}[2J",
                request.token
            )))
        });
    })
    .await;
    check(&error, "[secret]");
    assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
}

#[tokio::test]
async fn no_token_goes_to_a_manager_with_other_roots() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let manager = FakeManager::start(&authority, &ca);
    let error = refused(&manager.address, &Authority::new().token()).await;
    check(&error, "are not those of the join token");
    assert_eq!(ca.issued(), 0);
}

#[tokio::test]
async fn no_token_goes_to_a_server_that_only_passes_the_roots_on() {
    let (error, asked) = refused_as(|_| Authority::new().manager(USUAL)).await;
    check(&error, "was not issued by the swarm");
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn no_token_goes_to_a_worker() {
    let (error, asked) = refused_as(|authority| authority.server("swarm-worker", USUAL)).await;
    check(&error, "not that of a manager");
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn a_manager_whose_certificate_has_expired_is_not_trusted() {
    let (error, asked) = refused_as(|authority| authority.manager(-172_800..-86400)).await;
    check(&error, "set the clock");
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn a_clock_a_day_behind_is_named() {
    let (error, asked) = refused_as(|authority| authority.manager(82800..8_640_000)).await;
    check(&error, "set the clock");
    assert_eq!(asked, 0);
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), _| {
            issued(request, &authority.worker(request, node, 82800..8_640_000))
        });
    })
    .await;
    check(&error, "set the clock");
}

#[tokio::test]
async fn a_certificate_for_another_request_is_not_taken() {
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), _| {
            issued(b"another request", &authority.worker(request, node, USUAL))
        });
    })
    .await;
    check(&error, "for the key of another node");
}

#[tokio::test]
async fn a_certificate_for_another_node_is_not_taken() {
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, _), _| {
            issued(request, &authority.worker(request, "somebodyelse", USUAL))
        });
    })
    .await;
    check(&error, "for the node \"somebodyelse\"");
    // A node without a worker holds up root rotations.
    check(&error, "remove it there: docker node rm fakenode00000000000000000");
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_taken() {
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), _| {
            let key = rcgen::KeyPair::generate().unwrap();
            let other = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
            issued(request, &authority.worker(other.pem().unwrap().as_bytes(), node, USUAL))
        });
    })
    .await;
    check(&error, "for another key");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_taken() {
    let (error, _) = refused_by(|_, ca| {
        ca.status = Box::new(move |(request, node), _| {
            issued(request, &Authority::new().worker(request, node, USUAL))
        });
    })
    .await;
    check(&error, "not issued by this swarm");
}

#[tokio::test]
async fn a_certificate_of_a_manager_is_not_taken() {
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), _| {
            issued(request, &authority.signed(request, &leaf("swarm-manager", node, USUAL)))
        });
    })
    .await;
    check(&error, "that of a swarm-manager");
}

#[tokio::test]
async fn an_expired_certificate_is_not_taken() {
    let (error, _) = refused_by(|authority, ca| {
        let authority = authority.clone();
        ca.status = Box::new(move |(request, node), _| {
            issued(request, &authority.worker(request, node, -172_800..-86400))
        });
    })
    .await;
    check(&error, "was valid until");
}

#[tokio::test]
async fn a_malformed_certificate_is_not_taken() {
    let damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (text, expected) in [
        ("", "no certificate in PEM"),
        ("nonsense", "no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "not a certificate in PEM"),
        (damaged, "not an X.509 certificate"),
    ] {
        let (error, _) = refused_by(|_, ca| {
            ca.status = Box::new(move |(request, _), _| issued(request, text));
        })
        .await;
        check(&error, expected);
    }
}

#[tokio::test]
async fn a_failed_issuance_is_told() {
    let (error, _) = refused_by(|_, ca| {
        ca.status = Box::new(|_, _| {
            let err = "no key".to_owned();
            Reply::Now(NodeCertificateStatusResponse {
                status: Some(IssuanceStatus { state: State::Failed.into(), err }),
                certificate: None,
            })
        });
    })
    .await;
    check(&error, "could not issue a certificate: no key");
}

#[tokio::test]
async fn roots_that_are_too_large_are_not_read() {
    let (error, asked) = refused_by(|_, ca| {
        ca.roots = Box::new(|(), _| {
            Reply::Now(GetRootCaCertificateResponse { certificate: vec![b'x'; 8 << 20] })
        });
    })
    .await;
    check(&error, "cannot get the root certificates");
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn a_root_that_is_no_certificate_is_refused_even_if_its_digest_is_right() {
    let authority = Arc::new(Authority::new());
    let mut ca = Ca::new(&authority);
    ca.roots = Box::new(|(), _| {
        Reply::Now(GetRootCaCertificateResponse { certificate: b"nonsense".to_vec() })
    });
    let ca = Arc::new(ca);
    let manager = FakeManager::start(&authority, &ca);
    let digest = swarm_worker::token::RootDigest::of(b"nonsense");
    let token = format!("SWMTKN-1-{digest}-{SECRET}").parse().unwrap();
    check(&refused(&manager.address, &token).await, "the root certificates cannot be used");
    assert_eq!(ca.issued(), 0);
}

#[tokio::test]
async fn a_manager_that_does_not_answer_is_not_waited_for_for_ever() {
    let roots = refused_by(|_, ca| ca.roots = Box::new(|(), _| Reply::Never));
    let issue = refused_by(|_, ca| ca.issue = Box::new(|_, _| Reply::Never));
    let status = refused_by(|_, ca| ca.status = Box::new(|_, _| Reply::Never));
    let ((roots, _), (issue, asked), (status, _)) =
        futures::join!(Box::pin(roots), Box::pin(issue), Box::pin(status));
    check(&roots, "no answer within 5s");
    check(&issue, "no answer of the manager within 5s");
    // A second request would be a second node.
    assert_eq!(asked, 1);
    check(&status, "no answer of the manager within 20s");
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_told() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    let error = refused(&address, &Authority::new().token()).await;
    check(&error, "nothing listens at this address");
}

#[tokio::test]
async fn servers_of_other_protocols_are_told() {
    check(&refused_by_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await, "does not use TLS");
    check(&refused_by_server(b"SSH-2.0-OpenSSH_9.9\r\n", false).await, "does not use TLS");
    check(&refused_by_server(b"", true).await, "closed before it was secure");
    check(&refused_by_server(b"", false).await, "no answer within 5s");
}

#[tokio::test]
async fn a_host_without_an_address_is_told() {
    let address = "no-such-host.invalid".parse().unwrap();
    check(&refused(&address, &Authority::new().token()).await, "no-such-host.invalid:2377");
}
