//! A task under a driver, from a message of the manager to its end.

use std::sync::Arc;
use std::time::Duration;

use onward::agent::policy::Backoff;
use onward::agent::{AssignedTask, Driver, DriverHandle, Policy, TokioRuntime};
use onward::exec::{Controller as _, Executor as _};
use onward::{AnyTask, Assignment, TaskState, TaskStatus};
use swarm_worker::runtime::SwarmExecutor;
use swarm_worker::task::SwarmTask;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A task that runs under a driver.
pub(crate) struct Life {
    executor: SwarmExecutor,
    assignment: Arc<Assignment<SwarmTask>>,
    handle: DriverHandle<SwarmTask>,
    driver: JoinHandle<()>,
}

impl Life {
    /// Begins a task in the state that the manager has.
    pub(crate) fn begin(executor: &SwarmExecutor, task: AssignedTask<SwarmTask>) -> Self {
        let AssignedTask { assignment, status, policy, .. } = task;
        let status =
            status.map_or(TaskStatus::new(TaskState::Assigned), |status| (*status).clone());
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let policy = policy.map_or(Policy::default(), |policy| (*policy).clone());
        let runtime = Arc::new(TokioRuntime::current());
        let task = AnyTask::resume(status);
        let mut driver = Driver::new(task, Arc::clone(&assignment), executor.clone(), runtime)
            .with_policy(policy.with_backoff(backoff));
        let handle = driver.handle();
        let driver = tokio::spawn(async move {
            driver.run().await;
        });
        Self { executor: executor.clone(), assignment, handle, driver }
    }

    /// The present status.
    pub(crate) fn status(&self) -> TaskStatus {
        self.handle.status()
    }

    /// Waits for a status.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_it: impl Fn(&TaskStatus) -> bool,
    ) -> TaskStatus {
        let waiting = async {
            while !is_it(&self.status()) {
                sleep(Duration::from_millis(20)).await;
            }
            self.status()
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("not {what}: {:?}", self.handle.snapshot()))
    }

    /// Waits until the container runs, and its process is known.
    pub(crate) async fn runs(&self) -> TaskStatus {
        let runs = |status: &TaskStatus| {
            let container = status.container_status.as_ref();
            status.state == TaskState::Running && container.is_some_and(|found| found.pid.is_some())
        };
        let status =
            self.until("running", |status| status.state > TaskState::Running || runs(status)).await;
        assert_eq!(status.state, TaskState::Running, "{status:?}");
        status
    }

    /// Waits for the end, and for the exit code: the state is reported before it.
    pub(crate) async fn ends(&self) -> TaskStatus {
        let is_known = |status: &TaskStatus| {
            status.container_status.as_ref().is_none_or(|found| found.exit_code.is_some())
        };
        self.until("ended", |status| status.state.is_terminal() && is_known(status)).await
    }

    /// Shuts the task down.
    pub(crate) async fn shut_down(&self) -> TaskStatus {
        let assignment = (*self.assignment).clone().with_desired_state(TaskState::Shutdown);
        self.handle.update(assignment).unwrap();
        self.ends().await
    }

    /// Leaves the task as it is, as a worker does that is killed.
    pub(crate) async fn abandon(self) {
        self.driver.abort();
        _ = self.driver.await;
    }

    /// Removes the task, and checks that nothing is left.
    pub(crate) async fn remove(self) {
        self.driver.abort();
        _ = self.driver.await;
        let removing = async {
            if let Ok(mut controller) = self.executor.controller(&self.assignment).await {
                while let Err(error) = controller.remove().await {
                    assert!(error.is_temporary(), "{error:#}");
                    sleep(Duration::from_millis(200)).await;
                }
            }
            self.executor.list().await.unwrap()
        };
        let left = timeout(PATIENCE, removing).await.expect("the task cannot be removed");
        assert!(!left.iter().any(|id| **id == *self.assignment.id), "something is left");
    }
}
