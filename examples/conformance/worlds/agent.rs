//! The agent: all code that uses the library's worker.

use super::super::jsonl;
use super::executor::Machine;
use super::input::{Change, FIRST, Task};
use super::scene::Scene;
use super::store::Disk;
use onward::agent::store::{StoreChange, StoredTask, TaskRecord};
use onward::agent::worker::{AssignmentChange, Listener, RefusedTask};
use onward::agent::{AssignError, AssignedTask, Runtime, StatusSink, Worker, WorkerHandle};
use onward::exec::Assignment;
use onward::lifecycle::TaskStatus;
use onward::testing::VirtualPool;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;

/// An agent that lives: it may be closed, and may have ended.
pub(crate) struct Agent {
    scene: Scene,
    pool: VirtualPool,
    handle: WorkerHandle<String>,
    listeners: BTreeMap<String, Listener>,
}

impl Agent {
    /// Opens the store and begins.
    pub(crate) async fn open(pool: &VirtualPool, disk: &Disk) -> Result<Self, String> {
        let scene = disk.scene.clone();
        let first = Told { scene: scene.clone(), listener: FIRST.to_owned() };
        let machine = Machine { scene: scene.clone() };
        let opened = Worker::open(machine, disk.clone(), Arc::new(pool.clone())).await;
        let worker = opened.map_err(|error| error.to_string())?;
        let mut worker = worker.with_policy(scene.world.policy.clone()).with_sink(first);
        let handle = worker.handle();
        scene.put("opened", json!({ "stored": disk.stored() }));
        let agent =
            Self { scene: scene.clone(), pool: pool.clone(), handle, listeners: BTreeMap::new() };
        agent.spawn(async move {
            worker.run().await;
            scene.put("ended", json!({}));
            // The program keeps the agent.
            pending::<()>().await;
            drop(worker);
        });
        Ok(agent)
    }

    pub(crate) fn assign(&self, index: usize, tasks: Vec<Task>) {
        let handle = self.handle.clone();
        let tasks: Vec<_> = tasks.into_iter().map(assigned).collect();
        self.answer(index, async move { handle.assign(tasks).await });
    }

    pub(crate) fn update(&self, index: usize, changes: Vec<Change>) {
        let handle = self.handle.clone();
        let changes = changes.into_iter().map(|change| match change {
            Change::Update(task) => AssignmentChange::Update(assigned(*task)),
            Change::Remove(id) => AssignmentChange::Remove(id),
        });
        let changes: Vec<_> = changes.collect();
        self.answer(index, async move { handle.update(changes).await });
    }

    pub(crate) fn shut_down(&self, index: usize) {
        let handle = self.handle.clone();
        self.answer(index, async move { handle.shut_down().await.map(|()| Vec::new()) });
    }

    pub(crate) fn listen(&mut self, name: String) {
        // One of the same name goes first.
        self.listeners.remove(&name);
        let told = Told { scene: self.scene.clone(), listener: name.clone() };
        self.listeners.insert(name, self.handle.listen(told));
    }

    pub(crate) fn unlisten(&mut self, name: &str) {
        self.listeners.remove(name);
    }

    pub(crate) fn close(&self) {
        self.handle.close();
    }

    /// The agent's own view of its tasks.
    pub(crate) fn tasks(&self) -> Value {
        let tasks = self.handle.tasks().into_iter().map(|task| {
            let id = task.id().to_owned();
            let status = Some(&task.snapshot.status);
            (id, print(&Stored { record: &task.record, status }))
        });
        Value::Object(tasks.collect())
    }

    /// Sends a message now. The answer is printed when it comes.
    fn answer(
        &self,
        index: usize,
        message: impl Future<Output = Result<Vec<RefusedTask>, AssignError>> + Send + 'static,
    ) {
        let scene = self.scene.clone();
        self.spawn(async move {
            let fields = match message.await {
                Ok(refused) => {
                    let ids: Vec<_> = refused.into_iter().map(|task| task.id).collect();
                    json!({ "index": index, "ok": true, "refused": ids })
                }
                Err(error) => json!({ "index": index, "error": error.to_string() }),
            };
            scene.put("answer", fields);
        });
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        // The pool takes everything.
        drop(self.pool.spawn(Box::pin(future)));
    }
}

fn assigned(task: Task) -> AssignedTask<String> {
    let Task { id, definition, desired_state, status } = task;
    let task = AssignedTask::new(Assignment::new(id, definition)).with_desired_state(desired_state);
    match status {
        Some(status) => task.with_status(status),
        None => task,
    }
}

/// A listener that prints each status.
struct Told {
    scene: Scene,
    listener: String,
}

impl StatusSink for Told {
    fn changed(&self, id: &str, status: TaskStatus) {
        let status = jsonl::print(&status);
        self.scene.put("status", json!({ "listener": self.listener, "id": id, "status": status }));
    }

    fn removed(&self, id: &str) {
        self.scene.put("gone", json!({ "listener": self.listener, "id": id }));
    }
}

/// The stored record of a task.
pub(crate) struct Stored<'a> {
    pub(crate) record: &'a TaskRecord<String>,
    pub(crate) status: Option<&'a TaskStatus>,
}

/// As it is printed.
pub(crate) fn print(stored: &Stored<'_>) -> Value {
    let record = stored.record;
    let next = record.next.as_ref().map(|next| {
        let Assignment { definition, desired_state, .. } = &*next.assignment;
        json!({ "definition": definition, "desired_state": desired_state })
    });
    json!({
        "definition": record.assignment.definition,
        "applied": applied(stored),
        "desired_state": record.assignment.desired_state,
        "removing": record.removing,
        "status": stored.status.map(jsonl::print),
        "next": next,
    })
}

/// The definition with which a controller would be made if the agent crashed now.
fn applied<'a>(stored: &Stored<'a>) -> &'a str {
    let record = stored.record;
    &record.applied.as_ref().unwrap_or(&record.assignment).definition
}

/// Makes one change. Returns the id, and whether its record was deleted.
pub(crate) fn write(
    tasks: &mut BTreeMap<String, StoredTask<String>>,
    change: &StoreChange<String>,
) -> (String, bool) {
    match change {
        StoreChange::Replace(task) => {
            let id = task.record.id().to_owned();
            tasks.insert(id.clone(), task.clone());
            (id, false)
        }
        StoreChange::Record(record) => {
            let id = record.id().to_owned();
            let task = || StoredTask::new(record.clone(), None);
            tasks.entry(id.clone()).or_insert_with(task).record.clone_from(record);
            (id, false)
        }
        StoreChange::Status { id, status } => {
            if let Some(task) = tasks.get_mut(&**id) {
                task.status = Some(status.clone());
            }
            (id.to_string(), false)
        }
        StoreChange::Delete { id } => (id.to_string(), tasks.remove(&**id).is_some()),
    }
}
