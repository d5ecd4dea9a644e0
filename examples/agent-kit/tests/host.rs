//! What the host of an agent's tasks shows of them.
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_kit::board::{Board, Row};
use agent_kit::host::Host;
use agent_kit::listing::Listed;
use agent_kit::spec::TaskSpec;
use agent_kit::{Definition, TaskExecutor};
use onward::agent::{AssignedTask, MemoryStore};
use onward::exec::{LogPublisher, LogSubscriptionOptions};
use onward::{Assignment, Controller, ControllerError, Executor, TaskState};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;
use tokio::time::timeout;

/// How long the host may take to show something.
const LIMIT: Duration = Duration::from_secs(60);

/// A workload that does nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Idle {
    name: String,
    /// How its removal fails.
    removal: Removal,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum Removal {
    Fails,
    Waits,
    Panics,
}

impl Definition for Idle {
    fn container_spec(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

struct IdleController(Removal);

impl Controller for IdleController {
    type Definition = Idle;

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        std::future::pending().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        match self.0 {
            Removal::Fails => Err(ControllerError::new("it is stuck")),
            Removal::Waits => Err(ControllerError::new("it is busy").temporary()),
            Removal::Panics => panic!("it is broken"),
        }
    }
}

#[derive(Clone, Debug)]
struct Idlers;

impl Executor for Idlers {
    type Definition = Idle;
    type Controller = IdleController;

    async fn controller(&self, task: &Assignment<Idle>) -> Result<IdleController, ControllerError> {
        Ok(IdleController(task.definition.removal))
    }
}

impl TaskExecutor for Idlers {
    async fn logs(
        &self,
        _: &str,
        _: &Idle,
        _: impl LogPublisher,
        _: LogSubscriptionOptions,
        _: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        Ok(())
    }
}

fn task(id: &str, name: &str, removal: Removal) -> AssignedTask<TaskSpec<Idle>> {
    let definition = Idle { name: name.to_owned(), removal };
    let spec = TaskSpec { definition, assigned_at: UtcDateTime::now(), is_stopped_by_exit: false };
    AssignedTask::new(Assignment::new(id, spec).with_desired_state(TaskState::Running))
}

const NONE: [AssignedTask<TaskSpec<Idle>>; 0] = [];

/// Starts a host with these tasks.
async fn start(
    tasks: impl IntoIterator<Item = AssignedTask<TaskSpec<Idle>>>,
) -> (Host<Idlers>, Arc<Board>) {
    let board = Arc::new(Board::default());
    let host = Host::start(Idlers, MemoryStore::new(), Arc::clone(&board), None).await.unwrap();
    assert!(host.tasks().assign(tasks).await.unwrap().is_empty());
    (host, board)
}

/// Waits until the rows of the board are like this.
async fn until(board: &Arc<Board>, is: impl Fn(&[Row]) -> bool) -> Vec<Row> {
    let mut view = board.view();
    let shown = async {
        loop {
            let rows = board.rows();
            if is(&rows) {
                return rows;
            }
            view.changed().await;
        }
    };
    timeout(LIMIT, shown).await.unwrap_or_else(|_| panic!("it shows {:?}", board.rows()))
}

#[tokio::test]
async fn two_tasks_of_one_name_have_a_row_each_with_the_name_that_ps_shows() {
    let tasks = [task("id1", "web.3", Removal::Fails), task("id2", "web.3", Removal::Fails)];
    let (host, board) = start(tasks).await;
    let is_running = |row: &Row| row.status.state == TaskState::Running;
    let rows = until(&board, |rows| rows.len() == 2 && rows.iter().all(is_running)).await;
    let shown: Vec<_> = rows.iter().map(|row| (&*row.id, &*row.name)).collect();
    assert_eq!(shown, [("id1", "web.3"), ("id2", "web.3")]);
    for view in host.tasks().tasks() {
        assert_eq!(Listed::of(&view, BTreeMap::new()).task.name, "web.3");
    }
    host.close().await;
}

#[tokio::test]
async fn a_task_that_is_not_removed_has_the_reason_in_the_views_and_in_ps() {
    let tasks = [
        task("a", "a", Removal::Fails),
        task("b", "b", Removal::Waits),
        task("c", "c", Removal::Panics),
    ];
    let (host, board) = start(tasks).await;
    host.tasks().assign(NONE).await.unwrap();
    let rows = until(&board, |rows| rows.iter().all(|row| !row.note.is_empty())).await;
    let notes: Vec<_> = rows.into_iter().map(|row| row.note).collect();
    let expected = [
        "cannot be removed: it is stuck",
        "not removed yet, trying again: it is busy",
        "cannot be removed: the controller panicked: it is broken",
    ];
    assert_eq!(notes, expected);
    let views = host.tasks().tasks();
    let listed: Vec<_> = views.iter().map(|view| Listed::of(view, BTreeMap::new()).note).collect();
    assert_eq!(listed, expected);
    host.close().await;
}
