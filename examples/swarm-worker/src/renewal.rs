//! Renews the certificate of a running worker.

mod schedule;

use std::convert::Infallible;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::certificate::CertificateError;
use crate::connection::{Address, AddressError, ConnectError};
use crate::credentials::Credentials;
use crate::identity::Identity;
use crate::issuance::{CertificateRequest, IssueError};
use crate::wire::node_spec::Availability;

/// The longest time between two looks at the clock, which may be set.
const LOOK: Duration = Duration::from_secs(60);

/// Time after the first renewal that has failed. It doubles with each further one, up to [`LOOK`].
const PAUSE: Duration = Duration::from_secs(1);

/// Renews the certificate for as long as the worker runs: at a random time between 50 and 80 % of
/// its validity, and at once if a manager wants it. Asks the managers that were known last. Sessions
/// go on meanwhile.
///
/// # Cancel safety
///
/// If the future is dropped during a renewal, the worker keeps its old certificate.
pub async fn renew(credentials: Credentials) -> Infallible {
    loop {
        wait(&credentials).await;
        let mut pause = PAUSE;
        // On the heap: it is large, and is only needed once in a while.
        while let Err(error) = Box::pin(renew_once(&credentials)).await {
            warn!("cannot renew the certificate, trying again in {pause:?}: {error}");
            sleep(schedule::random(pause / 2, pause)).await;
            pause = (pause * 2).min(LOOK);
        }
    }
}

/// Waits until the certificate should be renewed.
async fn wait(credentials: &Credentials) {
    let identity = credentials.identity();
    let certificate = identity.certificate();
    let due = schedule::due(certificate.not_before(), certificate.not_after());
    loop {
        let left = Duration::try_from(due - OffsetDateTime::now_utc()).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = credentials.due() => return,
            () = sleep(left.min(LOOK)) => credentials.save_again().await,
        }
    }
}

/// Renews the certificate at one of the managers.
///
/// # Errors
///
/// Fails with the error of the last manager if none of them has renewed it.
pub async fn renew_once(credentials: &Credentials) -> Result<(), RenewalError> {
    let identity = credentials.identity();
    let mut managers = identity.managers().to_vec();
    schedule::shuffle(&mut managers);
    let mut last = RenewalError::NoManager;
    for manager in &managers {
        match renew_at(credentials, &identity, manager).await {
            Ok(renewed) => {
                let until = renewed.certificate().not_after();
                credentials.renewed(renewed).await;
                info!("renewed the certificate, which is valid until {until}");
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn renew_at(
    credentials: &Credentials,
    identity: &Identity,
    manager: &str,
) -> Result<Identity, RenewalError> {
    let address: Address = manager.parse()?;
    let request = CertificateRequest::new(None)?;
    let connection = credentials.connect(&address).await?;
    let node_id = request.submit(&connection, Availability::Active).await?;
    if node_id != identity.node_id() {
        let expected = identity.node_id().to_owned();
        return Err(IssueError::OtherNode { expected, found: node_id }.into());
    }
    let certificate = request.collect(&connection, &node_id).await?;
    certificate.check_time(OffsetDateTime::now_utc())?;
    Ok(credentials.identity().renewed(request.into_key(), certificate)?)
}

/// Why a certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// There is nobody to ask.
    #[error("no manager is known")]
    NoManager,
    /// The address of a manager is damaged.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The manager has issued no certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The certificate cannot be used.
    #[error("the new certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
}
