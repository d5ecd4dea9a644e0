//! The connection to a Docker engine, and the version of its API.

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use onward::exec::ControllerError;
use tokio::sync::OnceCell;

use crate::error::failed;

/// The oldest API that is enough: that of Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);

/// How long the engine may take for an answer, unless a request says otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// The address that the docker command uses if there is no other.
pub const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// A Docker engine. It is connected to when it is first needed.
///
/// A clone is the same connection.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: String,
    client: OnceCell<Docker>,
}

impl Engine {
    /// The engine at this address: `unix://PATH`, `tcp://HOST:PORT`, or `ssh://USER@HOST`.
    ///
    /// With `tcp`, the variables `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` ask for TLS, as those
    /// of the docker command do.
    pub fn new(host: impl Into<String>) -> Self {
        Self(Arc::new(Inner { host: host.into(), client: OnceCell::new() }))
    }

    /// The engine at the address in `DOCKER_HOST`, or at [`DEFAULT_HOST`].
    #[must_use]
    pub fn from_env() -> Self {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::new(host.unwrap_or_else(|| DEFAULT_HOST.to_owned()))
    }

    /// The address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The client of the engine, in the newest version of the API that both have.
    ///
    /// # Errors
    ///
    /// The engine cannot be reached, is too old, or is no engine. The error is temporary: a task
    /// does not end because its engine is not there.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the next call asks the engine again.
    pub async fn client(&self) -> Result<&Docker, ControllerError> {
        self.0.client.get_or_try_init(|| self.connect()).await
    }

    /// The client, with as long a time to answer as it needs beside `longer`.
    pub(crate) async fn patient_client(&self, longer: Duration) -> Result<Docker, ControllerError> {
        let client = self.client().await?.clone();
        Ok(client.with_timeout(PATIENCE.saturating_add(longer)))
    }

    async fn connect(&self) -> Result<Docker, ControllerError> {
        let told = |error| failed(format!("no Docker engine answers at {}", self.0.host), error);
        let client = Docker::connect_with_host(&self.0.host).map_err(told)?.with_timeout(PATIENCE);
        let client = client.negotiate_version().await.map_err(told)?;
        let version = client.client_version();
        if (version.major_version, version.minor_version) < OLDEST {
            let (major, minor) = OLDEST;
            return Err(ControllerError::new(format!(
                "the engine at {} has version {version} of the API, which is too old; version \
                 {major}.{minor} is needed (Docker 20.10)",
                self.0.host
            ))
            .temporary());
        }
        tracing::debug!(host = self.0.host, api = %version, newest = %API_DEFAULT_VERSION, "connected to the engine");
        Ok(client)
    }
}
