//! The executor of process tasks: makes their controllers, lists them, and removes unknown ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use agent_kit::TaskExecutor;
use agent_kit::task_file::is_name;
use onward::exec::{
    Assignment, Controller as _, ControllerError, Executor, LogPublisher, LogSubscriptionOptions,
};
use onward::{TaskState, TaskStatus};

use super::logs::ProcessLogs;
use super::{ProcessController, removal};
use crate::definition::ProcessDefinition;
use crate::keeper::{Keeper, Tracking};

/// The largest number of tasks whose tracking is remembered.
const MAX_TRACKED: usize = 10_000;

/// Makes the controllers of process tasks. Each task has its own directory.
#[derive(Clone, Debug)]
pub struct ProcessExecutor {
    root: PathBuf,
    program: Option<PathBuf>,
    /// The tracking of running tasks, with the process id of each. It never changes, so `ps` reads
    /// it only once.
    tracked: Arc<Mutex<HashMap<String, (i32, Tracking)>>>,
}

impl ProcessExecutor {
    /// Makes an executor whose tasks have their directories in `root`, which must exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), program: None, tracked: Arc::default() }
    }

    /// Sets the program that is started as keeper. Default: the running program.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    fn operate(
        &self,
        id: &str,
        definition: ProcessDefinition,
    ) -> Result<ProcessController, ControllerError> {
        if !is_name(id) {
            return Err(ControllerError::new(format!("{id:?} cannot be a directory's name")));
        }
        let keeper = Keeper::new(self.root.join(id));
        let keeper = match &self.program {
            Some(program) => keeper.with_program(program),
            None => keeper,
        };
        let id = id.to_owned();
        Ok(ProcessController { id, keeper, definition, progress: None, closed: false })
    }

    fn tracking(&self, id: &str, status: &TaskStatus) -> Option<Tracking> {
        let read = || Keeper::new(self.root.join(id)).tracking();
        let Some(pid) = status.container_status.as_ref().and_then(|process| process.pid) else {
            return read();
        };
        let tracked = || self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        match tracked().get(id) {
            Some((of, tracking)) if *of == pid => return Some(*tracking),
            _ => {}
        }
        let tracking = read()?;
        let mut tracked = tracked();
        if tracked.len() >= MAX_TRACKED {
            tracked.clear();
        }
        tracked.insert(id.to_owned(), (pid, tracking));
        Some(tracking)
    }
}

impl Executor for ProcessExecutor {
    type Definition = ProcessDefinition;
    type Controller = ProcessController;

    async fn controller(
        &self,
        assignment: &Assignment<ProcessDefinition>,
    ) -> Result<ProcessController, ControllerError> {
        self.operate(&assignment.id, assignment.definition.clone())
    }

    /// Lists the tasks that have a directory here, and those whose removal was interrupted.
    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let root = self.root.clone();
        let found = tokio::task::spawn_blocking(move || {
            let mut names = Vec::new();
            for entry in fs::read_dir(&root)? {
                let entry = entry?;
                names.extend(entry.file_type()?.is_dir().then(|| entry.file_name()));
            }
            Ok(names)
        });
        let found = found.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let found = found.map_err(|error| {
            let message = format!("cannot read {}", self.root.display());
            ControllerError::new(message).with_source(error).temporary()
        })?;
        let ids = found.iter().filter_map(|name| {
            let name = name.to_str()?;
            Some(removal::task_of(name).unwrap_or(name)).filter(|id| is_name(id))
        });
        let ids: BTreeSet<_> = ids.map(str::to_owned).collect();
        Ok(ids.into_iter().collect())
    }

    /// Kills the processes of the task, and removes its directory.
    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        // This works without the definition of the task.
        self.operate(id, ProcessDefinition::new([""]))?.remove().await
    }
}

impl TaskExecutor for ProcessExecutor {
    async fn logs(
        &self,
        id: &str,
        definition: &ProcessDefinition,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let keeper = self.operate(id, definition.clone())?.keeper;
        ProcessLogs::new(keeper).publish(publisher, options, ended).await
    }

    /// Returns how the keeper of a running task finds the task's processes: `tracking`, which is
    /// `cgroup`, `children` or `scan`.
    fn details(&self, id: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        if !is_name(id) || status.state != TaskState::Running {
            return BTreeMap::new();
        }
        let tracking = self.tracking(id, status);
        tracking.map(|tracking| ("tracking".to_owned(), tracking.to_string())).into_iter().collect()
    }
}
