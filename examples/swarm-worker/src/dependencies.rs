//! `SwarmDependencies`: secrets, configs and registry credentials, in memory only.

mod contents;
mod registry_auth;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::auth::DockerCredentials;
use docker_agent::definition::ContainerFile;
use docker_agent::dependencies::Dependencies;
use onward::exec::ControllerError;
use tokio::sync::watch;

use crate::{task, wire};
use contents::Contents;

pub(crate) use contents::TaskFiles;

/// The secrets and configs that the manager has sent, and the registry credentials of tasks. A clone
/// is the same.
///
/// Nothing of it is written to a disk or a log, and `Debug` shows only numbers. A task whose secret
/// has not come yet waits for it, after a restart of the worker too.
///
/// Apply the changes of a message in this order: secrets and configs, then
/// [`update_task`](Self::update_task), then assign the tasks.
#[derive(Clone, Default)]
pub struct SwarmDependencies(Arc<Inner>);

#[derive(Default)]
struct Inner {
    contents: Mutex<Contents>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
}

/// A secret, a config or a credential that a task needs has not come from the manager yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waiting for {0} from the manager")]
pub(crate) struct MissingError(String);

impl SwarmDependencies {
    /// Without anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret, or replaces it.
    pub fn update_secret(&self, secret: wire::Secret) {
        self.change(|contents| contents.update_secret(secret));
    }

    /// Removes a secret. It is no error if there is none.
    pub fn remove_secret(&self, id: &str) {
        self.change(|contents| contents.remove_secret(id));
    }

    /// Adds a config, or replaces it.
    pub fn update_config(&self, config: wire::Config) {
        self.change(|contents| contents.update_config(config));
    }

    /// Removes a config. It is no error if there is none.
    pub fn remove_config(&self, id: &str) {
        self.change(|contents| contents.remove_config(id));
    }

    /// Takes the registry credentials of a task from its message.
    pub fn update_task(&self, task: &wire::Task) {
        let credentials = task::registry_auth(task).map(registry_auth::decode);
        self.change(|contents| contents.update_credentials(&task.id, credentials));
    }

    /// Removes the registry credentials of a task. It is no error if there are none.
    pub fn remove_task(&self, id: &str) {
        self.change(|contents| contents.update_credentials(id, None));
    }

    /// Replaces all secrets and configs by those of a COMPLETE message.
    pub fn replace(
        &self,
        secrets: impl IntoIterator<Item = wire::Secret>,
        configs: impl IntoIterator<Item = wire::Config>,
    ) {
        let mut all = Contents::default();
        secrets.into_iter().for_each(|secret| all.update_secret(secret));
        configs.into_iter().for_each(|config| all.update_config(config));
        self.change(|contents| contents.replace(all));
    }

    /// Tells which files a task has, for as long as the value is kept. The templates in them need
    /// it.
    pub(crate) fn register(&self, task: &str, files: TaskFiles) -> Registration {
        let files = Arc::new(files);
        self.lock().register(task, Arc::clone(&files));
        Registration { dependencies: self.clone(), task: task.to_owned(), files }
    }

    /// Counts the changes, so that a caller can wait for the next one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.lock());
        self.0.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SwarmDependencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SwarmDependencies").field("contents", &*self.lock()).finish()
    }
}

impl Dependencies for SwarmDependencies {
    /// A secret or a config, with its template expanded.
    fn file(&self, task: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        self.lock().file(task, file)
    }

    fn credentials(
        &self,
        task: &str,
        _: &str,
    ) -> Result<Option<DockerCredentials>, ControllerError> {
        self.lock().credentials(task)
    }
}

/// See [`SwarmDependencies::register`].
#[derive(Debug)]
pub(crate) struct Registration {
    dependencies: SwarmDependencies,
    task: String,
    files: Arc<TaskFiles>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.dependencies.lock().unregister(&self.task, &self.files);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests;
