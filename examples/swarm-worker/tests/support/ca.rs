//! The authority's part of a fake manager: `CA` and `NodeCA`.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use swarm_worker::wire::issuance_status::State;
use swarm_worker::wire::{
    Certificate, GetRootCaCertificateRequest, GetRootCaCertificateResponse, IssuanceStatus,
    IssueNodeCertificateRequest, IssueNodeCertificateResponse, NodeCertificateStatusRequest,
    NodeCertificateStatusResponse, NodeRole, ca_server, node_ca_server,
};
use tonic::{Request, Response, Status};

use super::authority::{Authority, SECRET, USUAL};
use super::manager::peer;

/// What a fake manager does with a call.
pub(crate) enum Reply<T> {
    Now(T),
    Fail(Status),
    Never,
}

impl<T> Reply<T> {
    async fn wait(self) -> Result<Response<T>, Status> {
        match self {
            Self::Now(answer) => Ok(Response::new(answer)),
            Self::Fail(status) => Err(status),
            Self::Never => pending().await,
        }
    }
}

type Answer<Q, A> = Box<dyn Fn(&Q, usize) -> Reply<A> + Send + Sync>;

/// The answers of a fake manager. Each gets the request, and how many of its kind came before.
pub(crate) struct Ca {
    pub(crate) roots: Answer<(), GetRootCaCertificateResponse>,
    /// The id of the node that calls, or an empty one, and the request.
    pub(crate) issue: Answer<(String, IssueNodeCertificateRequest), IssueNodeCertificateResponse>,
    /// The request of the node, and its id.
    pub(crate) status: Answer<(Vec<u8>, String), NodeCertificateStatusResponse>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    roots: usize,
    issue: usize,
    status: usize,
    /// By node.
    requests: BTreeMap<String, Vec<u8>>,
}

impl Ca {
    /// One that does what a real manager does.
    pub(crate) fn new(authority: &Arc<Authority>) -> Self {
        let (roots, status) = (authority.clone(), authority.clone());
        Self {
            roots: Box::new(move |(), _| {
                let certificate = roots.pem().into_bytes();
                Reply::Now(GetRootCaCertificateResponse { certificate })
            }),
            issue: Box::new(|(peer, request), count| {
                let node_id = match (peer.is_empty(), request.token.ends_with(SECRET)) {
                    (false, _) => peer.clone(),
                    (true, true) => format!("fakenode{count:017}"),
                    (true, false) => return Reply::Fail(Status::invalid_argument(INVALID)),
                };
                Reply::Now(IssueNodeCertificateResponse { node_id, ..Default::default() })
            }),
            status: Box::new(move |(request, node), _| {
                issued(request, &status.worker(request, node, USUAL))
            }),
            calls: Mutex::default(),
        }
    }

    /// How many requests for a certificate came.
    pub(crate) fn issued(&self) -> usize {
        self.calls.lock().unwrap().issue
    }
}

/// What a real manager says about a wrong token.
pub(crate) const INVALID: &str = "A valid join token is necessary to join this cluster";

/// The answer with a certificate.
pub(crate) fn issued(request: &[u8], certificate: &str) -> Reply<NodeCertificateStatusResponse> {
    Reply::Now(NodeCertificateStatusResponse {
        status: Some(IssuanceStatus { state: State::Issued.into(), err: String::new() }),
        certificate: Some(Certificate {
            role: NodeRole::Worker.into(),
            csr: request.to_owned(),
            certificate: certificate.as_bytes().to_owned(),
            ..Default::default()
        }),
    })
}

/// The services of a fake manager.
#[derive(Clone)]
pub(crate) struct CaService(pub(crate) Arc<Ca>);

#[tonic::async_trait]
impl ca_server::Ca for CaService {
    async fn get_root_ca_certificate(
        &self,
        _: Request<GetRootCaCertificateRequest>,
    ) -> Result<Response<GetRootCaCertificateResponse>, Status> {
        let count = {
            let mut calls = self.0.calls.lock().unwrap();
            calls.roots += 1;
            calls.roots - 1
        };
        (self.0.roots)(&(), count).wait().await
    }
}

#[tonic::async_trait]
impl node_ca_server::NodeCa for CaService {
    async fn issue_node_certificate(
        &self,
        request: Request<IssueNodeCertificateRequest>,
    ) -> Result<Response<IssueNodeCertificateResponse>, Status> {
        let peer = peer(&request).unwrap_or_default();
        let request = request.into_inner();
        let count = {
            let mut calls = self.0.calls.lock().unwrap();
            calls.issue += 1;
            calls.issue - 1
        };
        let csr = request.csr.clone();
        let answer = (self.0.issue)(&(peer, request), count).wait().await?;
        let node = answer.get_ref().node_id.clone();
        self.0.calls.lock().unwrap().requests.insert(node, csr);
        Ok(answer)
    }

    async fn node_certificate_status(
        &self,
        request: Request<NodeCertificateStatusRequest>,
    ) -> Result<Response<NodeCertificateStatusResponse>, Status> {
        let node = request.into_inner().node_id;
        let (count, csr) = {
            let mut calls = self.0.calls.lock().unwrap();
            calls.status += 1;
            (calls.status - 1, calls.requests.get(&node).cloned())
        };
        let csr = csr.ok_or_else(|| Status::not_found("NotFound"))?;
        (self.0.status)(&(csr, node), count).wait().await
    }
}
