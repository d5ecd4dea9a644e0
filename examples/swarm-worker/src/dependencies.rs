//! `SwarmDependencies`: secrets, configs and registry credentials, in memory only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::auth::DockerCredentials;
use docker_agent::definition::{ContainerFile, FileKind};
use docker_agent::dependencies::Dependencies;
use onward::exec::ControllerError;
use tokio::sync::watch;

use crate::wire;

/// The secrets and configs that the manager has sent, and the registry credentials of tasks. A clone
/// is the same.
///
/// Nothing of it is written to a disk or a log, and `Debug` shows only numbers. A task whose secret
/// has not come yet waits for it.
///
/// Apply the changes of a message in this order: secrets, configs and credentials, then the tasks.
#[derive(Clone)]
pub struct SwarmDependencies(Arc<Inner>);

struct Inner {
    contents: Mutex<Contents>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Contents {
    secrets: BTreeMap<String, wire::Secret>,
    configs: BTreeMap<String, wire::Config>,
    /// By the ids of tasks.
    credentials: HashMap<String, String>,
}

impl SwarmDependencies {
    /// Without anything.
    #[must_use]
    pub fn new() -> Self {
        let changes = watch::Sender::new(0);
        Self(Arc::new(Inner { contents: Mutex::default(), changes }))
    }

    /// Adds a secret, or replaces it.
    pub fn update_secret(&self, secret: wire::Secret) {
        self.change(|contents| _ = contents.secrets.insert(secret.id.clone(), secret));
    }

    /// Removes a secret. It is no error if there is none.
    pub fn remove_secret(&self, id: &str) {
        self.change(|contents| _ = contents.secrets.remove(id));
    }

    /// Adds a config, or replaces it.
    pub fn update_config(&self, config: wire::Config) {
        self.change(|contents| _ = contents.configs.insert(config.id.clone(), config));
    }

    /// Removes a config. It is no error if there is none.
    pub fn remove_config(&self, id: &str) {
        self.change(|contents| _ = contents.configs.remove(id));
    }

    /// Takes the registry credentials of a task from its message.
    pub fn update_task(&self, task: &wire::Task) {
        _ = task;
    }

    /// Removes the registry credentials of a task. It is no error if there are none.
    pub fn remove_task(&self, id: &str) {
        self.change(|contents| _ = contents.credentials.remove(id));
    }

    /// Replaces everything by what a COMPLETE message has.
    pub fn replace(
        &self,
        secrets: impl IntoIterator<Item = wire::Secret>,
        configs: impl IntoIterator<Item = wire::Config>,
    ) {
        let secrets = secrets.into_iter().map(|secret| (secret.id.clone(), secret)).collect();
        let configs = configs.into_iter().map(|config| (config.id.clone(), config)).collect();
        self.change(|contents| {
            contents.secrets = secrets;
            contents.configs = configs;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.lock());
        self.0.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SwarmDependencies {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SwarmDependencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = self.lock();
        let mut shown = out.debug_struct("SwarmDependencies");
        shown.field("secrets", &contents.secrets.len()).field("configs", &contents.configs.len());
        shown.finish_non_exhaustive()
    }
}

impl Dependencies for SwarmDependencies {
    fn file(&self, _: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        let contents = self.lock();
        let bytes = match file.kind {
            FileKind::Secret => contents
                .secrets
                .get(&file.source)
                .and_then(|secret| secret.spec.as_ref().map(|spec| spec.data.clone())),
            FileKind::Config => contents
                .configs
                .get(&file.source)
                .and_then(|config| config.spec.as_ref().map(|spec| spec.data.clone())),
        };
        bytes.ok_or_else(|| ControllerError::new("not there yet").temporary())
    }

    fn credentials(&self, _: &str, _: &str) -> Option<DockerCredentials> {
        None
    }
}
