//! `Dependencies`: secrets, configs and credentials, which come from the agent's owner.

use bollard::auth::DockerCredentials;
use onward::exec::ControllerError;

use crate::definition::ContainerFile;

/// Gives the bytes of secrets and configs, and the credentials of registries. No definition has them.
/// None of it is stored by the agent or logged.
pub trait Dependencies: Send + Sync + 'static {
    /// The bytes of a secret or a config of this task.
    ///
    /// It is called when the container is created, and again when it is started.
    ///
    /// # Errors
    ///
    /// Why there are none. A temporary error, if they may come later: the operation is tried
    /// again.
    fn file(&self, task: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError>;

    /// The credentials with which this image is pulled for this task. Default: none.
    ///
    /// It is called when a pull begins.
    ///
    /// # Errors
    ///
    /// Why there are none although the pull needs them. A temporary error, if they may come later:
    /// the operation is tried again.
    fn credentials(
        &self,
        task: &str,
        image: &str,
    ) -> Result<Option<DockerCredentials>, ControllerError> {
        _ = (task, image);
        Ok(None)
    }
}

/// Gives nothing: for an agent whose tasks have neither secrets nor configs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDependencies;

impl Dependencies for NoDependencies {
    fn file(&self, _: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        let ContainerFile { source, .. } = file;
        Err(ControllerError::new(format!(
            "this agent has no secrets or configs, but the task needs {source:?}"
        )))
    }
}
