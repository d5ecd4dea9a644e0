//! Gets a certificate from a manager, for a new node or for one that renews its own.

mod error;

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Response, Status};

use crate::certificate::NodeCertificate;
use crate::connection::Connection;
use crate::identity::PrivateKey;
use crate::text::{cause, said};
use crate::token::JoinToken;
use crate::wire::issuance_status::State;
use crate::wire::node_spec::Availability;
use crate::wire::{
    Certificate, IssueNodeCertificateRequest, NodeCertificateStatusRequest, NodeRole,
};
pub use error::IssueError;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

/// How long a manager may take to issue a certificate.
const ISSUE: Duration = Duration::from_secs(20);

/// Time between two questions for the same certificate. A manager answers when it has issued the
/// certificate, so more than one question is rare.
const POLL: Duration = Duration::from_millis(100);

/// A request for the certificate of a new key.
#[derive(Debug)]
pub struct CertificateRequest {
    key: PrivateKey,
    text: String,
    token: Option<JoinToken>,
}

impl CertificateRequest {
    /// Makes a key, and the request for its certificate. A new node needs a token. A node that renews
    /// its certificate needs none: it must use a connection that shows its old certificate.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn new(token: Option<JoinToken>) -> Result<Self, IssueError> {
        let key = PrivateKey::generate()?;
        let text = key.request()?;
        Ok(Self { key, text, token })
    }

    /// Sends the request to a manager. Returns the id of the node.
    ///
    /// # Errors
    ///
    /// Fails if the manager refuses or does not answer.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the manager may list a new node that never becomes ready.
    pub async fn submit(
        &self,
        connection: &Connection,
        availability: Availability,
    ) -> Result<String, IssueError> {
        let request = IssueNodeCertificateRequest {
            role: NodeRole::Worker.into(),
            csr: self.text.clone().into_bytes(),
            token: self.token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default(),
            availability: availability.into(),
        };
        let mut client = connection.node_ca();
        let node_id = self.limited(client.issue_node_certificate(request)).await?.node_id;
        if node_id.is_empty() { Err(IssueError::NoNode) } else { Ok(node_id) }
    }

    /// Waits for the certificate of the request. It can be called again after an error.
    ///
    /// A manager may first answer with the certificate that a node had before. So a node that
    /// renews its certificate asks again if the answer is for another request. For a new node, such
    /// an answer is an error.
    ///
    /// # Errors
    ///
    /// Fails if the manager does not issue the certificate within 20 s, or issues another one than
    /// was requested.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the certificate can still be collected.
    pub async fn collect(
        &self,
        connection: &Connection,
        node_id: &str,
    ) -> Result<NodeCertificate, IssueError> {
        let end = Instant::now() + ISSUE;
        loop {
            let request = NodeCertificateStatusRequest { node_id: node_id.to_owned() };
            let mut client = connection.node_ca();
            match self.limited(client.node_certificate_status(request)).await {
                Ok(found) => {
                    let status = found.status.unwrap_or_default();
                    let issued = found.certificate.unwrap_or_default();
                    match status.state() {
                        State::Issued if issued.csr == self.text.as_bytes() => {
                            return checked(&issued, node_id);
                        }
                        State::Issued if self.token.is_some() => {
                            return Err(IssueError::OtherRequest);
                        }
                        State::Failed => return Err(IssueError::Failed(self.said(&status.err))),
                        State::Issued
                        | State::Unknown
                        | State::Renew
                        | State::Pending
                        | State::Rotate => {}
                    }
                }
                // It waits for the certificate.
                Err(IssueError::TimedOut(_)) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= end {
                return Err(IssueError::TimedOut(ISSUE));
            }
            sleep(POLL).await;
        }
    }

    /// Makes a call that may take 5 s.
    async fn limited<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, IssueError> {
        match timeout(CALL, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(IssueError::new(status.code(), self.said(&cause(&status)))),
            Err(_) => Err(IssueError::TimedOut(CALL)),
        }
    }

    /// Returns the words of a manager for an error, without the secret of the token.
    fn said(&self, text: &str) -> String {
        match &self.token {
            Some(token) => said(&token.redact(text)),
            None => said(text),
        }
    }

    /// Returns the key of the request.
    pub fn into_key(self) -> PrivateKey {
        self.key
    }
}

fn checked(issued: &Certificate, node_id: &str) -> Result<NodeCertificate, IssueError> {
    let certificate = NodeCertificate::from_pem(&issued.certificate)?;
    if certificate.node_id() != node_id {
        return Err(IssueError::OtherNode {
            expected: node_id.to_owned(),
            found: certificate.node_id().to_owned(),
        });
    }
    Ok(certificate)
}
