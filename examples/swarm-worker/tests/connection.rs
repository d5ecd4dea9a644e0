//! Connections: lost ones, and large messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use support::authority::{Authority, USUAL};
use support::ca::Ca;
use support::manager::{FakeManager, ca_routes, peer};
use support::state::state;
use swarm_worker::connection::{Address, connect};
use swarm_worker::credentials::Credentials;
use swarm_worker::join::join;
use swarm_worker::tls::TlsConfig;
use swarm_worker::wire::dispatcher_server::{Dispatcher, DispatcherServer};
use swarm_worker::wire::node_spec::Availability;
use swarm_worker::wire::{
    AssignmentsMessage, AssignmentsRequest, GetRootCaCertificateRequest, HeartbeatRequest,
    HeartbeatResponse, SessionMessage, SessionRequest, UpdateTaskStatusRequest,
    UpdateTaskStatusResponse,
};
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status};

/// Longer than any wait of a test.
const LIMIT: Duration = Duration::from_secs(60);

/// Four times the limit of most gRPC clients.
const LARGE: usize = 16 << 20;

/// Sends one large message, to nodes with a certificate.
struct Large;

#[tonic::async_trait]
impl Dispatcher for Large {
    type SessionStream = BoxStream<'static, Result<SessionMessage, Status>>;
    type AssignmentsStream = BoxStream<'static, Result<AssignmentsMessage, Status>>;

    async fn session(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let session_id = peer(&request).ok_or_else(|| Status::permission_denied("who?"))?;
        let root_ca = vec![b'x'; LARGE];
        let message = SessionMessage { session_id, root_ca, ..Default::default() };
        Ok(Response::new(stream::iter([Ok(message)]).chain(stream::pending()).boxed()))
    }

    async fn heartbeat(
        &self,
        _: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn update_task_status(
        &self,
        _: Request<UpdateTaskStatusRequest>,
    ) -> Result<Response<UpdateTaskStatusResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn assignments(
        &self,
        _: Request<AssignmentsRequest>,
    ) -> Result<Response<Self::AssignmentsStream>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }
}

#[tokio::test]
async fn a_worker_shows_its_certificate_and_reads_large_messages() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let routes = ca_routes(&ca).add_service(DispatcherServer::new(Large));
    let manager = FakeManager::start_as(&authority, authority.manager(USUAL), routes);
    let dir = state();
    let token = authority.token();
    let identity = join(&manager.address, &token, dir.path(), Availability::Active).await.unwrap();
    let credentials = Credentials::load(dir.path()).unwrap();
    let session = async {
        let connection = credentials.connect(&manager.address).await.unwrap();
        let mut messages =
            connection.dispatcher().session(SessionRequest::default()).await.unwrap().into_inner();
        messages.message().await.unwrap().unwrap()
    };
    let message = timeout(LIMIT, session).await.expect("a message comes");
    assert_eq!(message.session_id, identity.node_id());
    assert_eq!(message.root_ca.len(), LARGE);
}

#[tokio::test]
async fn calls_over_a_lost_connection_fail() {
    let authority = Arc::new(Authority::new());
    let ca = Arc::new(Ca::new(&authority));
    let manager = FakeManager::start(&authority, &ca);
    let config = TlsConfig::unverified().unwrap();
    let connection = connect(&manager.address, &config).await.unwrap();
    let call = async || {
        let mut client = connection.ca();
        let call = client.get_root_ca_certificate(GetRootCaCertificateRequest {});
        timeout(LIMIT, call).await.expect("the call ends")
    };
    call().await.unwrap();
    drop(manager);
    // The first may have been sent already.
    let _ = call().await.unwrap_err();
    for _ in 0..3 {
        let error = call().await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
    }
}

#[test]
fn addresses_are_read_as_users_write_them() {
    for (text, expected) in [
        ("192.0.2.1", "192.0.2.1:2377"),
        ("192.0.2.1:4567", "192.0.2.1:4567"),
        ("manager.example", "manager.example:2377"),
        ("2001:db8::1", "[2001:db8::1]:2377"),
        ("[2001:db8::1]", "[2001:db8::1]:2377"),
        ("[2001:db8::1]:4567", "[2001:db8::1]:4567"),
    ] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), expected);
    }
    for (text, expected) in [
        ("", "no host"),
        (":2377", "no host"),
        ("tcp://192.0.2.1:2377", "a scheme"),
        ("192.0.2.1:", "the port is not a number"),
        ("192.0.2.1:0", "the port is not a number"),
        ("192.0.2.1:65536", "the port is not a number"),
        ("192.0.2.1:2377:1", "the port is not a number"),
        ("[192.0.2.1]:2377", "no IPv6 address"),
        ("[2001:db8::1", "a ] is missing"),
        ("[2001:db8::1]2377", "something other than a port"),
        ("a b", "a character that no host has"),
        ("user@host", "a character that no host has"),
    ] {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in: {error}");
    }
    for (text, expected) in [("0.0.0.0:2377", false), ("[::]:2377", false), ("host", true)] {
        assert_eq!(text.parse::<Address>().unwrap().is_specified(), expected);
    }
}
