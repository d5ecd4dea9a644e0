//! A task under a worker, and how it ends.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docker_agent::definition::DockerDefinition;
use docker_agent::executor::DockerExecutor;
use onward::agent::policy::Backoff;
use onward::agent::{Driver, DriverHandle, Policy, TokioRuntime};
use onward::exec::{Controller as _, Executor as _};
use onward::{AnyTask, Assignment, TaskState, TaskStatus};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::engine::IMAGE;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A definition with the image that is there, and this line for its shell.
pub(crate) fn shell(line: &str) -> DockerDefinition {
    let mut definition = DockerDefinition::new(IMAGE).with_args(["sh", "-c", line]);
    // Process 1 has no handlers unless it sets them.
    definition.init = Some(true);
    definition.stop_grace = Duration::from_secs(2);
    definition
}

/// The same, and the task is RUNNING when its line has made the file `/tmp/set`.
pub(crate) fn when_set(definition: DockerDefinition) -> DockerDefinition {
    let check =
        r#"{"test": ["CMD", "test", "-e", "/tmp/set"], "interval": "500ms", "retries": 200}"#;
    let healthcheck = Some(serde_json::from_str(check).unwrap());
    // The traps of a shell wait for its commands, and a machine may be busy.
    DockerDefinition { healthcheck, stop_grace: PATIENCE, ..definition }
}

/// A task that runs under a driver.
pub(crate) struct Life {
    pub(crate) id: String,
    pub(crate) executor: DockerExecutor,
    pub(crate) handle: DriverHandle<DockerDefinition>,
    assignment: Assignment<DockerDefinition>,
    trail: Arc<Mutex<Vec<TaskStatus>>>,
    driver: JoinHandle<()>,
}

impl Life {
    /// Begins a task with an id of its own.
    pub(crate) fn begin(
        executor: &DockerExecutor,
        name: &str,
        definition: DockerDefinition,
    ) -> Self {
        Self::begin_with_id(executor, own_id(name), definition)
    }

    /// Begins a task with this id.
    pub(crate) fn begin_with_id(
        executor: &DockerExecutor,
        id: String,
        definition: DockerDefinition,
    ) -> Self {
        Self::begin_assigned(executor, Assignment::new(id, definition))
    }

    /// Begins a task that is assigned so.
    pub(crate) fn begin_assigned(
        executor: &DockerExecutor,
        assignment: Assignment<DockerDefinition>,
    ) -> Self {
        let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let policy = Policy::default().with_backoff(backoff).with_shutdown_grace(PATIENCE);
        let runtime = Arc::new(TokioRuntime::current());
        let trail = Arc::new(Mutex::new(Vec::new()));
        let reported = trail.clone();
        let mut driver = Driver::new(task, assignment.clone(), executor.clone(), runtime)
            .with_policy(policy)
            .with_sink(move |_: &str, status| reported.lock().unwrap().push(status));
        let handle = driver.handle();
        let driver = tokio::spawn(async move {
            driver.run().await;
        });
        let id = assignment.id.to_string();
        Self { id, executor: executor.clone(), handle, assignment, trail, driver }
    }

    /// All statuses that the task has reported.
    pub(crate) fn trail(&self) -> Vec<TaskStatus> {
        self.trail.lock().unwrap().clone()
    }

    /// Waits for a status.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_it: impl Fn(&TaskStatus) -> bool,
    ) -> TaskStatus {
        let waiting = async {
            loop {
                let status = self.handle.status();
                if is_it(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("{}: not {what}: {:?}", self.id, self.handle.status()))
    }

    /// Waits until the task is in this state, or has ended in another way. RUNNING is reported before
    /// the container's process and ports.
    pub(crate) async fn reaches(&self, state: TaskState) -> TaskStatus {
        let has_process = |status: &TaskStatus| {
            status.container_status.as_ref().is_some_and(|container| container.pid.is_some())
        };
        let is_there = |status: &TaskStatus| {
            status.state > state
                || status.state == state && (state != TaskState::Running || has_process(status))
        };
        let status = self.until(state.as_str(), is_there).await;
        assert_eq!(status.state, state, "{status:?}");
        status
    }

    /// Waits for the end, and for the exit code: the state is reported before it.
    pub(crate) async fn ends(&self) -> TaskStatus {
        let is_known =
            |status: &TaskStatus| status.container_status.is_none() || exit_code(status).is_some();
        self.until("ended", |status| status.state >= TaskState::Complete && is_known(status)).await
    }

    /// Asks for another state or definition.
    pub(crate) fn update(
        &self,
        change: impl FnOnce(Assignment<DockerDefinition>) -> Assignment<DockerDefinition>,
    ) {
        self.handle.update(change(self.assignment.clone())).unwrap();
    }

    /// Shuts the task down.
    pub(crate) async fn shut_down(&self) -> TaskStatus {
        self.update(|assignment| assignment.with_desired_state(TaskState::Shutdown));
        self.ends().await
    }

    /// Removes the task, and checks that nothing is left.
    pub(crate) async fn remove(self) {
        self.driver.abort();
        _ = self.driver.await;
        let removing = async {
            // A definition without a controller has made nothing.
            if let Ok(mut controller) = self.executor.controller(&self.assignment).await {
                while let Err(error) = controller.remove().await {
                    assert!(error.is_temporary(), "{error:#}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            self.executor.list().await.unwrap()
        };
        let left = timeout(PATIENCE, removing).await.expect("the task cannot be removed");
        assert!(!left.contains(&self.id), "something is left of {}", self.id);
    }
}

/// An id that no other task has.
pub(crate) fn own_id(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

/// The exit code of the status's container.
pub(crate) fn exit_code(status: &TaskStatus) -> Option<i32> {
    status.container_status.as_ref().and_then(|container| container.exit_code)
}
