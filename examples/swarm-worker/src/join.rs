//! Joins a swarm.

mod error;

use std::path::Path;
use std::time::Duration;

use agent_kit::state::lock_temporary;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::certificate::{CertificateError, NodeCertificate, Roots};
use crate::connection::{Address, Connection, connect};
use crate::identity::{self, Identity};
use crate::issuance::{CertificateRequest, IssueError};
use crate::tls::TlsConfig;
use crate::token::{JoinToken, RootDigest};
use crate::wire::GetRootCaCertificateRequest;
use crate::wire::node_spec::Availability;
pub use error::JoinError;

/// How long to try again while the managers cannot issue certificates.
const TRY: Duration = Duration::from_secs(20);

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a manager may take to give its root certificates.
const ROOTS: Duration = Duration::from_secs(5);

/// A manager sets the start of the validity to this long before it issues a certificate.
const BACKDATED: time::Duration = time::Duration::HOUR;

/// How far this machine's clock may be ahead of the manager's.
const AHEAD: time::Duration = time::Duration::minutes(5);

/// Makes this machine a node of a swarm, and writes its identity into a state directory. Creates the
/// directory if it does not exist.
///
/// Nothing is sent to the manager, and nothing of it is trusted, before its root certificates have
/// the digest in the token.
///
/// # Errors
///
/// Fails if the directory belongs to a node already, or if the manager refuses. It fails at once if
/// another try cannot help. If the managers cannot issue certificates at the moment, for example
/// because they elect a leader, it tries again for 20 s.
///
/// # Cancel safety
///
/// If the future is dropped, the directory belongs to no node. The manager may list a node that never
/// becomes ready.
pub async fn join(
    address: &Address,
    token: &JoinToken,
    dir: &Path,
    availability: Availability,
) -> Result<Identity, JoinError> {
    // Locked until the end.
    let place = lock_temporary(dir)?;
    let dir = place.path.clone();
    if identity::exists(&dir) {
        return Err(JoinError::Joined { dir });
    }
    let probed = dir.clone();
    blocking(move || identity::check_writable(&probed)).await??;
    let joined = Course { address, token, end: Instant::now() + TRY }.run(availability).await?;
    let stored = joined.clone();
    let storing = blocking(move || {
        stored.store(&dir).inspect_err(|_| {
            // What was written is no identity. If it cannot be removed, the next join replaces it.
            _ = identity::forget(&dir);
        })
    });
    let stored = storing.await.and_then(|stored| Ok(stored?));
    stored.map_err(|error| error.of_listed(joined.node_id()))?;
    Ok(joined)
}

/// Returns the time of the manager, by a certificate that it has just issued, if this machine's
/// clock is more than 5 min ahead of it. Then the certificate is valid, but the times of tasks and
/// logs are wrong, and the certificate seems to expire too early.
#[must_use]
pub fn time_behind(certificate: &NodeCertificate, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let issued = certificate.not_before() + BACKDATED;
    (now - issued > AHEAD).then_some(issued)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    spawn_blocking(work).await.map_err(|_| JoinError::Interrupted)
}

/// The calls of one join.
struct Course<'a> {
    address: &'a Address,
    token: &'a JoinToken,
    end: Instant,
}

impl Course<'_> {
    async fn run(&self, availability: Availability) -> Result<Identity, JoinError> {
        let (roots, request, node_id) = loop {
            match self.submit(availability).await {
                Ok(submitted) => break submitted,
                Err(error) => self.pause(error).await?,
            }
        };
        let identity = self.complete(roots, request, &node_id).await;
        identity.map_err(|error| error.of_listed(&node_id))
    }

    /// Gets the certificate of a node that the manager lists.
    async fn complete(
        &self,
        roots: Roots,
        request: CertificateRequest,
        node_id: &str,
    ) -> Result<Identity, JoinError> {
        let certificate = loop {
            match self.collect(&roots, &request, node_id).await {
                Ok(certificate) => break certificate,
                Err(error) => self.pause(error).await?,
            }
        };
        let invalid = |error: CertificateError| self.issue(error.into());
        certificate.check_time(OffsetDateTime::now_utc()).map_err(invalid)?;
        let managers = vec![self.address.to_string()];
        Identity::new(request.into_key(), certificate, roots, managers).map_err(invalid)
    }

    /// Waits before the next try, if that can help.
    async fn pause(&self, error: JoinError) -> Result<(), JoinError> {
        if !error.is_temporary() || Instant::now() + PAUSE >= self.end {
            return Err(error);
        }
        warn!("cannot join yet, trying again: {error}");
        sleep(PAUSE).await;
        Ok(())
    }

    async fn submit(
        &self,
        availability: Availability,
    ) -> Result<(Roots, CertificateRequest, String), JoinError> {
        let roots = self.roots().await?;
        // Before the call: a manager would keep a node without a certificate for ever.
        let request =
            CertificateRequest::new(Some(self.token.clone())).map_err(|error| self.issue(error))?;
        let connection = self.connect(&roots).await?;
        let submitted = request.submit(&connection, availability).await;
        let node_id = submitted.map_err(|error| self.issue(error))?;
        Ok((roots, request, node_id))
    }

    async fn collect(
        &self,
        roots: &Roots,
        request: &CertificateRequest,
        node_id: &str,
    ) -> Result<NodeCertificate, JoinError> {
        let connection = self.connect(roots).await?;
        request.collect(&connection, node_id).await.map_err(|error| self.issue(error))
    }

    async fn connect(&self, roots: &Roots) -> Result<Connection, JoinError> {
        Ok(connect(self.address, &TlsConfig::anonymous(roots)?).await?)
    }

    /// Gets the root certificates, and compares their digest with that of the token.
    async fn roots(&self) -> Result<Roots, JoinError> {
        let address = self.address;
        let connection = connect(address, &TlsConfig::unverified()?).await?;
        let mut client = connection.ca();
        let pem =
            match timeout(ROOTS, client.get_root_ca_certificate(GetRootCaCertificateRequest {}))
                .await
            {
                Ok(Ok(answer)) => answer.into_inner().certificate,
                Ok(Err(status)) => return Err(JoinError::roots(address, &status)),
                Err(_) => {
                    return Err(JoinError::TimedOut { address: address.clone(), limit: ROOTS });
                }
            };
        if RootDigest::of(&pem) != *self.token.digest() {
            return Err(JoinError::OtherDigest { address: address.clone() });
        }
        Roots::from_pem(&pem)
            .map_err(|error| JoinError::BadRoots { address: address.clone(), error })
    }

    fn issue(&self, error: IssueError) -> JoinError {
        JoinError::Issue { address: self.address.clone(), error }
    }
}
