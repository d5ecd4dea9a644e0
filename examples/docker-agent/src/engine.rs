//! The connection to a Docker engine, and the version of its API.

use std::env;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::{API_DEFAULT_VERSION, Docker};
use onward::exec::ControllerError;
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use crate::error::unanswered;

/// The oldest API that is enough: that of Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);

/// The time after which a request without an answer fails.
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
    certificates: Option<PathBuf>,
    client: OnceCell<Docker>,
}

impl Engine {
    /// The engine at this address: `unix://PATH`, `tcp://HOST:PORT`, or `ssh://USER@HOST`. The port
    /// of SSH is that of the command `ssh` for this host.
    pub fn new(host: impl Into<String>) -> Self {
        Self::with(host.into(), None)
    }

    /// The engine at this address, `tcp://HOST:PORT`, over TLS. `certificates` is a directory with
    /// the files of the docker command: `ca.pem`, `cert.pem` and `key.pem`.
    pub fn with_tls(host: impl Into<String>, certificates: impl Into<PathBuf>) -> Self {
        Self::with(host.into(), Some(certificates.into()))
    }

    /// The engine that the docker command would use: at the address in `DOCKER_HOST`, or at
    /// [`DEFAULT_HOST`].
    ///
    /// `DOCKER_TLS_VERIFY` asks for TLS, with the certificates in `DOCKER_CERT_PATH` or in
    /// `~/.docker`.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let host = set("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned());
        let home = || set("HOME").map(|home| PathBuf::from(home).join(".docker"));
        let certificates = set("DOCKER_TLS_VERIFY")
            .and_then(|_| set("DOCKER_CERT_PATH").map(Into::into).or_else(home));
        Self::with(host.unwrap_or_else(|| DEFAULT_HOST.to_owned()), certificates)
    }

    fn with(host: String, certificates: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { host, certificates, client: OnceCell::new() }))
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

    /// Whether the engine has answered once.
    pub(crate) fn was_reached(&self) -> bool {
        self.0.client.initialized()
    }

    /// The client, with as long a time to answer as it needs beside `longer`.
    pub(crate) async fn patient_client(&self, longer: Duration) -> Result<Docker, ControllerError> {
        let client = self.client().await?.clone();
        Ok(client.with_timeout(PATIENCE.saturating_add(longer)))
    }

    async fn connect(&self) -> Result<Docker, ControllerError> {
        if has_ssh_port(&self.0.host) {
            return Err(ControllerError::new(format!(
                "the address {} has a port, which cannot be used with SSH; leave it out, and set \
                 `Port` for this host in ~/.ssh/config",
                self.0.host
            ))
            .temporary());
        }
        let client = match &self.0.certificates {
            Some(dir) if self.0.host.starts_with("tcp://") => {
                let [key, cert, ca] = ["key.pem", "cert.pem", "ca.pem"].map(|name| dir.join(name));
                Docker::connect_with_ssl(
                    &self.0.host,
                    &key,
                    &cert,
                    &ca,
                    PATIENCE.as_secs(),
                    API_DEFAULT_VERSION,
                )
            }
            Some(_) | None => Docker::connect_with_host(&self.0.host),
        };
        match client {
            Ok(client) => self.negotiate(client.with_timeout(PATIENCE)).await,
            Err(error) => Err(self.unreachable(error).await),
        }
    }

    /// Agrees with the engine on the version of the API again: after it has come back, it may be an
    /// older one.
    pub(crate) async fn renegotiate(&self) -> Result<(), ControllerError> {
        let client = self.client().await?.clone();
        // Clones have one version.
        self.negotiate(client).await.map(|_| ())
    }

    async fn negotiate(&self, client: Docker) -> Result<Docker, ControllerError> {
        let client = match client.negotiate_version().await {
            Ok(client) => client,
            Err(error) => return Err(self.unreachable(error).await),
        };
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

    /// The error is temporary for every reason: nothing is known about any container.
    async fn unreachable(&self, error: ClientError) -> ControllerError {
        let Inner { host, .. } = &*self.0;
        if matches!(error, ClientError::UnsupportedURISchemeError { .. }) {
            return ControllerError::new(format!(
                "{host:?} is no address of an engine; use unix://PATH, tcp://HOST:PORT or \
                 ssh://USER@HOST"
            ))
            .temporary();
        }
        let told = format!("no Docker engine answers at {host}");
        // The client reports a socket that it may not look for as one that does not exist.
        let Some(path) = host.strip_prefix("unix://") else { return unanswered(told, error) };
        let Err(error) = UnixStream::connect(path).await else { return unanswered(told, error) };
        let told = if error.kind() == ErrorKind::PermissionDenied {
            format!(
                "{told}; run the agent as root, or as a member of the socket's group, which is \
                 mostly docker"
            )
        } else {
            told
        };
        ControllerError::new(told).with_source(error).temporary()
    }
}

/// Whether this is an address of SSH with a port. The client takes a port for a part of the name.
fn has_ssh_port(host: &str) -> bool {
    let Some(address) = host.strip_prefix("ssh://") else { return false };
    let authority = address.split('/').next().unwrap_or(address);
    let name = authority.rsplit_once('@').map_or(authority, |(_, name)| name);
    // The colons of an IPv6 address are between brackets.
    name.rsplit_once(']').map_or(name, |(_, port)| port).contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_an_ssh_address_is_found() {
        for with_port in ["ssh://far:22", "ssh://me@far:22/x", "ssh://[::1]:22"] {
            assert!(has_ssh_port(with_port), "{with_port}");
        }
        for without in
            ["ssh://far", "ssh://me:x@far", "ssh://[::1]", "ssh://far/a:b", "tcp://far:22"]
        {
            assert!(!has_ssh_port(without), "{without}");
        }
    }
}
