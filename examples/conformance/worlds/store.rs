//! A store that outlives the agents, and fails where the script of a world has it.

use super::agent::{self, Stored};
use super::input::Commit;
use super::scene::Scene;
use onward::agent::Store;
use onward::agent::store::{StoreChange, StoreError, StoredTask};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The store of one agent. The content is the same for all agents.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) scene: Scene,
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    tasks: BTreeMap<String, StoredTask<String>>,
    /// The ids that were there after the last commit of each that succeeded, or at
    /// the last opening.
    known: BTreeSet<String>,
    commits: usize,
    in_flight: Option<(Commit, Vec<StoreChange<String>>)>,
}

impl Disk {
    pub(crate) fn new(scene: Scene) -> Self {
        Self { scene, content: Arc::default() }
    }

    /// The same content for the next agent.
    pub(crate) fn again(&self, scene: Scene) -> Self {
        Self { scene, content: Arc::clone(&self.content) }
    }

    /// The whole store, as it is printed.
    pub(crate) fn stored(&self) -> Value {
        let content = self.content();
        Value::Object(content.tasks.iter().map(|(id, task)| (id.clone(), print(task))).collect())
    }

    /// The agent dies: the commit in flight is written or not.
    pub(crate) fn crash(&self) {
        let in_flight = self.content().in_flight.take();
        if let Some((commit, changes)) = in_flight {
            self.end(&Value::Null, commit.written.0, &changes);
        }
    }

    /// A commit begins.
    fn begin(&self, changes: &[StoreChange<String>]) -> Commit {
        self.scene.put("commit", json!({}));
        let mut content = self.content();
        let commit = self.scene.commit(content.commits);
        content.commits += 1;
        content.in_flight = Some((commit.clone(), changes.to_vec()));
        commit
    }

    /// Writes the first changes of a commit that ends.
    fn end(&self, ok: &Value, count: usize, changes: &[StoreChange<String>]) {
        let written = changes.get(..count).unwrap_or(changes);
        let fields = self.content().write(ok, written);
        self.scene.put("committed", fields);
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print(task: &StoredTask<String>) -> Value {
    agent::print(&Stored { record: &task.record, status: task.status.as_deref() })
}

impl Content {
    fn write(&mut self, ok: &Value, changes: &[StoreChange<String>]) -> Value {
        let (mut ids, mut deleted) = (BTreeSet::new(), Vec::new());
        for change in changes {
            let (id, ends) = agent::write(&mut self.tasks, change);
            if ends || matches!(change, StoreChange::Delete { .. }) && self.known.contains(&id) {
                deleted.push(id.clone());
            }
            ids.insert(id);
        }
        let mut stored = Map::new();
        for id in ids {
            let now = self.tasks.get(&id).map(print);
            if *ok == true && now.is_some() {
                self.known.insert(id.clone());
            } else if *ok == true {
                self.known.remove(&id);
            }
            stored.insert(id, now.unwrap_or(Value::Null));
        }
        json!({ "ok": ok, "stored": stored, "deleted": deleted })
    }
}

impl Store<String> for Disk {
    async fn load(&self) -> Result<Vec<StoredTask<String>>, StoreError> {
        let mut content = self.content();
        content.known = content.tasks.keys().cloned().collect();
        Ok(content.tasks.values().cloned().collect())
    }

    async fn commit(&self, changes: &[StoreChange<String>]) -> Result<(), StoreError> {
        let commit = self.begin(changes);
        let _flight = Flight(self);
        self.scene.pass(commit.takes_ms).await;
        self.content().in_flight = None;
        if commit.fails {
            self.end(&json!(false), commit.written.0, changes);
            return Err(StoreError::new("the store failed"));
        }
        self.end(&json!(true), usize::MAX, changes);
        Ok(())
    }
}

/// A commit in flight. One that the agent drops ends like one that a crash
/// interrupts.
struct Flight<'a>(&'a Disk);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.0.scene.is_dead() {
            self.0.crash();
        }
    }
}
