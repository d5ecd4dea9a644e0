//! A world and a trace as the format's page describes them, read without the
//! library.

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The states in their order, by their names on the wire.
pub(crate) const STATES: [&str; 14] = [
    "new",
    "pending",
    "assigned",
    "accepted",
    "preparing",
    "ready",
    "starting",
    "running",
    "complete",
    "shutdown",
    "failed",
    "rejected",
    "remove",
    "orphaned",
];

/// The rank of a state: its place among [`STATES`].
pub(crate) fn rank(state: &str) -> usize {
    STATES.iter().position(|name| *name == state).expect("the name of a state")
}

pub(crate) const COMPLETE: usize = 8;
pub(crate) const SHUTDOWN: usize = 9;

#[derive(Deserialize)]
pub(crate) struct World {
    #[serde(default)]
    pub(crate) policy: Policy,
    definitions: BTreeMap<String, BTreeMap<String, Vec<Call>>>,
    #[serde(default)]
    pub(crate) found: Found,
    #[serde(default)]
    store: Vec<Commit>,
    #[serde(default)]
    store_at: Vec<Window>,
    #[serde(default)]
    pub(crate) script: Vec<Entry>,
    pub(crate) until_ms: u64,
}

#[derive(Deserialize)]
pub(crate) struct Policy {
    #[serde(default = "retry_max")]
    pub(crate) retry_max_ms: u64,
    #[serde(default)]
    pub(crate) prepare_deadline_ms: Option<u64>,
}

/// The library's default.
fn retry_max() -> u64 {
    30_000
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry_max_ms: retry_max(), prepare_deadline_ms: None }
    }
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Call {
    #[serde(default = "zero")]
    pub(crate) takes_ms: Option<u64>,
    pub(crate) error: Option<Error>,
    #[serde(default)]
    pub(crate) took_effect: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "serde asks for the type of the field")]
fn zero() -> Option<u64> {
    Some(0)
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) temporary: bool,
}

impl Error {
    /// Another try may succeed, or learn more.
    pub(crate) fn is_retryable(&self) -> bool {
        self.temporary || matches!(&*self.kind, "canceled" | "deadline_exceeded")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Found {
    pub(crate) strays: Vec<String>,
    calls: Vec<Call>,
    reconcile: BTreeMap<String, Vec<Call>>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Commit {
    #[serde(default = "zero")]
    pub(crate) takes_ms: Option<u64>,
    #[serde(default)]
    pub(crate) fails: bool,
    #[serde(default)]
    pub(crate) written: Value,
}

#[derive(Deserialize)]
struct Window {
    from_ms: u64,
    to_ms: u64,
    #[serde(flatten)]
    commit: Commit,
}

#[derive(Deserialize)]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    pub(crate) assign: Option<Vec<Task>>,
    pub(crate) update: Option<Vec<Change>>,
    #[serde(default)]
    pub(crate) shut_down: bool,
    pub(crate) listen: Option<String>,
    pub(crate) unlisten: Option<String>,
    #[serde(default)]
    pub(crate) close: bool,
    pub(crate) crash: Option<Crash>,
}

#[derive(Deserialize)]
pub(crate) struct Crash {
    pub(crate) restart_ms: u64,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) definition: String,
    #[serde(default = "running")]
    pub(crate) desired_state: String,
}

fn running() -> String {
    "running".to_owned()
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Change {
    Remove { remove: String },
    Task(Task),
}

impl Entry {
    /// It is a message that names an id twice, and is refused whole.
    pub(crate) fn names_twice(&self) -> bool {
        let tasks = self.assign.iter().flatten().map(|task| &task.id);
        let changes = self.update.iter().flatten().map(|change| match change {
            Change::Remove { remove } => remove,
            Change::Task(task) => &task.id,
        });
        let mut seen = BTreeSet::new();
        tasks.chain(changes).any(|id| !seen.insert(id))
    }
}

impl World {
    /// What call number `n` of an operation does.
    pub(crate) fn call(&self, operation: &str, id: &str, definition: &str, n: usize) -> Call {
        let field = if operation == "controller" { "executor" } else { operation };
        let calls = match operation {
            "found" => Some(&self.found.calls),
            "reconcile" => self.found.reconcile.get(id),
            _ => self.definitions.get(definition).and_then(|lists| lists.get(field)),
        };
        let call = calls.and_then(|calls| calls.get(n).or(calls.last()));
        let takes_ms = if operation == "wait" { None } else { Some(0) };
        call.cloned().unwrap_or(Call { takes_ms, error: None, took_effect: false })
    }

    /// What commit number `n` does, which begins now.
    pub(crate) fn commit(&self, now: u64, n: usize) -> Commit {
        let covers = |window: &&Window| (window.from_ms..window.to_ms).contains(&now);
        let window = self.store_at.iter().find(covers).map(|window| &window.commit);
        let none = Commit { takes_ms: Some(0), fails: false, written: Value::Null };
        window.or(self.store.get(n)).cloned().unwrap_or(none)
    }

    /// The texts of errors that are interruptions.
    pub(crate) fn interruptions(&self) -> BTreeSet<String> {
        let lists = self.definitions.values().flat_map(BTreeMap::values);
        let calls = lists.chain(self.found.reconcile.values()).chain([&self.found.calls]).flatten();
        let errors = calls.filter_map(|call| call.error.as_ref());
        let interruptions = errors.filter(|error| !error.temporary && error.is_retryable());
        interruptions.map(|error| error.message.clone()).collect()
    }

    /// A commit can write a part of its changes: no rule holds then.
    pub(crate) fn tears(&self) -> bool {
        let windows = self.store_at.iter().map(|window| &window.commit);
        self.store.iter().chain(windows).any(|commit| commit.written.is_number())
    }

    /// The order in which the entries of the script come, by index.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.script.len()).collect();
        order.sort_by_key(|index| self.script[*index].at_ms);
        order
    }
}

/// What the program prints for a world.
#[derive(Deserialize)]
pub(crate) struct Printed {
    pub(crate) world: Value,
    pub(crate) trace: Vec<Event>,
    pub(crate) stored: BTreeMap<String, Stored>,
    pub(crate) tasks: Option<BTreeMap<String, Stored>>,
}

/// One entry of a trace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "it is the name of the field in a trace")]
pub(crate) struct Event {
    pub(crate) at_ms: u64,
    pub(crate) event: String,
    pub(crate) index: usize,
    pub(crate) ok: Option<bool>,
    pub(crate) error: Option<String>,
    pub(crate) temporary: bool,
    pub(crate) refused: Vec<String>,
    pub(crate) stored: BTreeMap<String, Option<Stored>>,
    pub(crate) deleted: Vec<String>,
    pub(crate) operation: String,
    pub(crate) id: String,
    pub(crate) definition: String,
    pub(crate) offered: Option<String>,
    pub(crate) ids: Vec<String>,
    pub(crate) listener: String,
    pub(crate) status: Value,
}

impl Event {
    /// A call, return or cancel of one of these operations.
    pub(crate) fn is(&self, event: &str, operations: &[&str]) -> bool {
        self.event == event && operations.contains(&&*self.operation)
    }
}

/// What is stored of an id.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) definition: String,
    #[serde(default)]
    pub(crate) applied: Option<String>,
    pub(crate) desired_state: String,
    #[serde(default)]
    pub(crate) removing: bool,
    #[serde(default)]
    pub(crate) status: Value,
    #[serde(default)]
    pub(crate) next: Option<Next>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
pub(crate) struct Next {
    pub(crate) definition: String,
    pub(crate) desired_state: String,
}

impl Stored {
    /// The rank of its status, if there is one.
    pub(crate) fn state(&self) -> Option<usize> {
        state(&self.status)
    }
}

/// The rank of a status, if it is one.
pub(crate) fn state(status: &Value) -> Option<usize> {
    status["State"].as_str().map(rank)
}
