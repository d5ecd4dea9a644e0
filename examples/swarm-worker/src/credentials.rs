//! The identity of a running worker, which changes when its certificate is renewed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::connection::{Address, ConnectError, Connection, connect};
use crate::identity::{Identity, IdentityError};
use crate::tls::TlsConfig;
use crate::wire::SessionMessage;

/// The current identity of a running worker. A clone shares it.
#[derive(Debug, Clone)]
pub struct Credentials {
    dir: Arc<PathBuf>,
    identity: Arc<watch::Sender<Arc<Identity>>>,
    due: Arc<Notify>,
}

impl Credentials {
    /// Reads the identity in a state directory.
    ///
    /// # Errors
    ///
    /// Fails if the directory is not one of a node, or if its files do not belong together, or if
    /// the certificate is not valid at this time.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let identity = Identity::load(dir)?;
        Ok(Self {
            dir: Arc::new(dir.to_owned()),
            identity: Arc::new(watch::Sender::new(Arc::new(identity))),
            due: Arc::default(),
        })
    }

    /// Returns the identity as it is now.
    pub fn identity(&self) -> Arc<Identity> {
        self.identity.borrow().clone()
    }

    /// Returns a receiver of the changes. After a change of [`Identity::tls_info`], the worker must
    /// open a new session, because a root rotation waits for the new description.
    pub fn changes(&self) -> watch::Receiver<Arc<Identity>> {
        self.identity.subscribe()
    }

    /// Connects to a manager with the identity as it is now.
    ///
    /// # Errors
    ///
    /// Fails if nothing listens at the address, or if one side does not trust the other.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is closed.
    pub async fn connect(&self, address: &Address) -> Result<Connection, ConnectError> {
        let config =
            TlsConfig::mutual(&self.identity()).map_err(|e| ConnectError::config(address, &e))?;
        connect(address, &config).await
    }

    /// Takes from a message of a session what concerns the identity: the managers, which it writes
    /// to disk, a new root, and the request for a renewal. Every message of a session goes here
    /// before anything else is done with it.
    pub async fn observe(&self, message: &SessionMessage) {
        todo!()
    }
}
