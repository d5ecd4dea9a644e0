//! The known secrets, configs and credentials, and the ones that a task gets.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bollard::auth::DockerCredentials;
use docker_agent::definition::{ContainerFile, DockerDefinition, FileKind};
use onward::exec::ControllerError;

use super::MissingError;
use super::registry_auth::MalformedError;
use crate::template::{Context, Payload};
use crate::wire;

/// The only syntax of templates that a swarm has.
const GOLANG: &str = "golang";

/// What the templates in the files of a task can use.
#[derive(Clone, Debug)]
pub(crate) struct TaskFiles {
    pub(crate) context: Context,
    /// The definition, expanded.
    pub(crate) definition: DockerDefinition,
    pub(crate) has_credentials: bool,
}

/// A secret or a config.
struct Content {
    data: Vec<u8>,
    /// The syntax of the template. Empty: it is no template.
    templating: String,
}

/// Everything that the manager has sent, and the tasks that need it.
#[derive(Default)]
pub(super) struct Contents {
    secrets: HashMap<String, Content>,
    configs: HashMap<String, Content>,
    /// By the ids of tasks.
    credentials: HashMap<String, Result<DockerCredentials, MalformedError>>,
    tasks: HashMap<String, Arc<TaskFiles>>,
}

impl Contents {
    pub(super) fn update_secret(&mut self, secret: wire::Secret) {
        let spec = secret.spec.unwrap_or_default();
        let templating = spec.templating.unwrap_or_default().name;
        self.secrets.insert(secret.id, Content { data: spec.data, templating });
    }

    pub(super) fn remove_secret(&mut self, id: &str) {
        self.secrets.remove(id);
    }

    pub(super) fn update_config(&mut self, config: wire::Config) {
        let spec = config.spec.unwrap_or_default();
        let templating = spec.templating.unwrap_or_default().name;
        self.configs.insert(config.id, Content { data: spec.data, templating });
    }

    pub(super) fn remove_config(&mut self, id: &str) {
        self.configs.remove(id);
    }

    pub(super) fn update_credentials(
        &mut self,
        task: &str,
        credentials: Option<Result<DockerCredentials, MalformedError>>,
    ) {
        match credentials {
            Some(credentials) => _ = self.credentials.insert(task.to_owned(), credentials),
            None => _ = self.credentials.remove(task),
        }
    }

    /// Replaces the secrets and configs by those of `all`.
    pub(super) fn replace(&mut self, all: Self) {
        (self.secrets, self.configs) = (all.secrets, all.configs);
    }

    pub(super) fn register(&mut self, task: &str, files: Arc<TaskFiles>) {
        self.tasks.insert(task.to_owned(), files);
    }

    /// Another registration of the same task stays.
    pub(super) fn unregister(&mut self, task: &str, files: &Arc<TaskFiles>) {
        if self.tasks.get(task).is_some_and(|known| Arc::ptr_eq(known, files)) {
            self.tasks.remove(task);
        }
    }

    pub(super) fn file(
        &self,
        task: &str,
        file: &ContainerFile,
    ) -> Result<Vec<u8>, ControllerError> {
        let content = self.content(task, file).ok_or_else(|| missing(file))?;
        if content.templating.is_empty() {
            return Ok(content.data.clone());
        }
        let refuse = |problem: &dyn fmt::Display| {
            ControllerError::new(format!("{} {}: {problem}", kind(file), file.target))
        };
        if content.templating != GOLANG {
            return Err(refuse(&format_args!(
                "its templates are {:?}, which this worker does not know",
                content.templating
            )));
        }
        let known = self.tasks.get(task);
        let known = known.ok_or_else(|| ControllerError::new("the task has ended").temporary())?;
        // The template may use any of them.
        let mut files = known.definition.files.iter();
        if let Some(other) = files.find(|file| self.content(task, file).is_none()) {
            return Err(missing(other));
        }
        let text = std::str::from_utf8(&content.data)
            .map_err(|_| refuse(&"it is a template, and not UTF-8"))?;
        let expanded =
            known.context.expand_payload(text, &TaskPayload { contents: self, known, task });
        expanded.map(String::into_bytes).map_err(|error| refuse(&error))
    }

    /// A secret for one task only has an id of its own, which ends with the task's.
    fn content(&self, task: &str, file: &ContainerFile) -> Option<&Content> {
        match file.kind {
            FileKind::Secret => {
                let own = self.secrets.get(&format!("{}.{task}", file.source));
                own.or_else(|| self.secrets.get(&file.source))
            }
            FileKind::Config => self.configs.get(&file.source),
        }
    }

    pub(super) fn credentials(
        &self,
        task: &str,
    ) -> Result<Option<DockerCredentials>, ControllerError> {
        match self.credentials.get(task) {
            Some(Ok(credentials)) => Ok(Some(credentials.clone())),
            Some(Err(malformed)) => Err(ControllerError::wrap(*malformed)),
            None if self.tasks.get(task).is_some_and(|task| task.has_credentials) => {
                let missing = MissingError("the credentials of the registry".to_owned());
                Err(ControllerError::wrap(missing).temporary())
            }
            None => Ok(None),
        }
    }
}

fn missing(file: &ContainerFile) -> ControllerError {
    let missing = MissingError(format!("the {} {}", kind(file), file.target));
    ControllerError::wrap(missing).temporary()
}

fn kind(file: &ContainerFile) -> &'static str {
    match file.kind {
        FileKind::Secret => "secret",
        FileKind::Config => "config",
    }
}

/// Only numbers: nothing of it is for a log.
impl fmt::Debug for Contents {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secrets, configs, credentials, tasks } = self;
        out.debug_struct("Contents")
            .field("secrets", &secrets.len())
            .field("configs", &configs.len())
            .field("credentials", &credentials.len())
            .field("tasks", &tasks.len())
            .finish()
    }
}

struct TaskPayload<'a> {
    contents: &'a Contents,
    known: &'a TaskFiles,
    task: &'a str,
}

impl TaskPayload<'_> {
    fn text(&self, wanted: FileKind, target: &str) -> Result<String, String> {
        let mut files = self.known.definition.files.iter();
        let file = files.find(|file| file.kind == wanted && file.target == target);
        let file = file.ok_or_else(|| format!("the task has none with the target {target:?}"))?;
        let content = self.contents.content(self.task, file);
        let content = content.ok_or_else(|| format!("{target:?} has not come yet"))?;
        String::from_utf8(content.data.clone()).map_err(|_| format!("{target:?} is not UTF-8"))
    }
}

impl Payload for TaskPayload<'_> {
    fn secret(&self, target: &str) -> Result<String, String> {
        self.text(FileKind::Secret, target)
    }

    fn config(&self, target: &str) -> Result<String, String> {
        self.text(FileKind::Config, target)
    }

    fn env(&self, name: &str) -> String {
        self.known.definition.env.get(name).cloned().unwrap_or_default()
    }
}
