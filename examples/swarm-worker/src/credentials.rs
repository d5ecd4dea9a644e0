//! The identity of a running worker, which changes when its certificate is renewed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::certificate::Roots;
use crate::connection::{Address, ConnectError, Connection, connect};
use crate::identity::{Identity, IdentityError};
use crate::tls::TlsConfig;
use crate::wire::issuance_status::State;
use crate::wire::{SessionMessage, WeightedPeer};

/// The current identity of a running worker. A clone shares it.
#[derive(Debug, Clone)]
pub struct Credentials(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    identity: watch::Sender<Arc<Identity>>,
    /// Held during a change.
    changing: Mutex<()>,
    /// The identity on disk is older.
    unsaved: AtomicBool,
    due: Notify,
}

impl Credentials {
    /// Reads the identity in a state directory.
    ///
    /// # Errors
    ///
    /// Fails if the directory is not one of a node, if its files do not belong together, or if the
    /// certificate is not valid at this time.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let identity = Identity::load(dir)?;
        identity.check_time(dir, OffsetDateTime::now_utc())?;
        Ok(Self(Arc::new(Shared {
            dir: dir.to_owned(),
            identity: watch::Sender::new(Arc::new(identity)),
            changing: Mutex::default(),
            unsaved: AtomicBool::new(false),
            due: Notify::new(),
        })))
    }

    /// Returns the identity as it is now.
    pub fn identity(&self) -> Arc<Identity> {
        self.0.identity.borrow().clone()
    }

    /// Returns a receiver of the changes. After a change of [`Identity::tls_info`], the worker must
    /// call `Session` again, because a root rotation waits for the new description.
    pub fn changes(&self) -> watch::Receiver<Arc<Identity>> {
        self.0.identity.subscribe()
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
        let config = TlsConfig::mutual(&self.identity())
            .map_err(|error| ConnectError::config(address, &error))?;
        connect(address, &config).await
    }

    /// Takes from a message of a session what concerns the identity: the managers, a new root, and
    /// the request for a renewal. Every message of a session goes here before the worker does
    /// anything else with it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the change may be lost. The next message of a session has it again.
    pub async fn observe(&self, message: &SessionMessage) {
        let managers = addresses(&message.managers);
        self.change(|identity| {
            (!managers.is_empty() && managers != identity.managers())
                .then(|| identity.with_managers(managers))
        })
        .await;
        let root = &message.root_ca;
        if !root.is_empty() && root != self.identity().roots().pem() {
            self.trust(root).await;
        }
        let certificate = message.node.as_ref().and_then(|node| node.certificate.as_ref());
        let status = certificate.and_then(|certificate| certificate.status.as_ref());
        // RENEW means that the manager is working on a request of this node.
        if status.is_some_and(|status| status.state() == State::Rotate) {
            info!("a manager wants this node to renew its certificate");
            self.0.due.notify_one();
        }
    }

    /// Trusts another root, if it has issued the certificate of this node.
    async fn trust(&self, pem: &[u8]) {
        let roots = match Roots::from_pem(pem) {
            Ok(roots) => roots,
            Err(error) => {
                warn!("the manager announced a root certificate that cannot be used: {error}");
                return;
            }
        };
        let mut refused = None;
        let changed = self
            .change(|identity| match identity.with_roots(roots) {
                Ok(changed) => Some(changed),
                Err(error) => {
                    refused = Some(error);
                    None
                }
            })
            .await;
        if changed {
            info!("the swarm has a new root certificate");
        }
        if let Some(error) = refused {
            warn!(
                "the swarm has a new root certificate, under which this node's is not valid: {error}"
            );
            self.0.due.notify_one();
        }
    }

    /// Takes a new key and its certificate.
    pub(crate) async fn renewed(&self, identity: Identity) {
        self.change(|old| Some(identity.with_managers(old.managers().to_vec()))).await;
    }

    /// Waits until a manager wants a renewal.
    pub(crate) async fn due(&self) {
        self.0.due.notified().await;
    }

    /// Writes the identity again, if that has failed.
    pub(crate) async fn save_again(&self) {
        let _changing = self.0.changing.lock().await;
        if self.0.unsaved.load(Ordering::Relaxed) {
            self.save(self.identity()).await;
        }
    }

    /// Replaces the identity, on disk first: a manager may never accept the old one again after it has
    /// seen the new one. If it cannot be written, it is used nevertheless.
    async fn change(&self, change: impl FnOnce(&Identity) -> Option<Identity>) -> bool {
        let _changing = self.0.changing.lock().await;
        let Some(changed) = change(&self.identity()) else { return false };
        let changed = Arc::new(changed);
        self.save(changed.clone()).await;
        self.0.identity.send_replace(changed);
        true
    }

    async fn save(&self, identity: Arc<Identity>) {
        let dir = self.0.dir.clone();
        let saved = spawn_blocking(move || identity.store(&dir)).await;
        let unsaved = match saved {
            Ok(Ok(())) => false,
            Ok(Err(error)) => {
                warn!("cannot write the identity of this node, will try again: {error}");
                true
            }
            Err(_) => true,
        };
        self.0.unsaved.store(unsaved, Ordering::Relaxed);
    }
}

/// Returns the addresses that a worker can connect to.
fn addresses(managers: &[WeightedPeer]) -> Vec<String> {
    managers
        .iter()
        .filter_map(|manager| manager.peer.as_ref()?.addr.parse::<Address>().ok())
        .filter(Address::is_specified)
        .map(|address| address.to_string())
        .collect()
}
