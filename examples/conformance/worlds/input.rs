//! A world as a line describes it.

use super::super::scripted::ErrorScript;
use onward::agent::Policy;
use onward::lifecycle::{TaskState, TaskStatus};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The listener that every agent has from its beginning.
pub(crate) const FIRST: &str = "first";

#[derive(Deserialize)]
#[serde(try_from = "Fields")]
pub(crate) struct World {
    pub(crate) name: Value,
    pub(crate) policy: Policy,
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) found: Found,
    pub(crate) store: Vec<Commit>,
    pub(crate) store_at: Vec<Window>,
    /// In order of time. An entry keeps the index that it has in the input.
    pub(crate) script: Vec<(usize, Entry)>,
    pub(crate) until_ms: u64,
    pub(crate) seed: u64,
}

#[derive(Deserialize)]
struct Fields {
    world: Value,
    #[serde(default)]
    policy: Policy,
    definitions: BTreeMap<String, Definition>,
    #[serde(default)]
    found: Found,
    #[serde(default)]
    store: Vec<Commit>,
    #[serde(default)]
    store_at: Vec<Window>,
    #[serde(default)]
    script: Vec<Entry>,
    until_ms: u64,
    #[serde(default)]
    seed: u64,
}

impl TryFrom<Fields> for World {
    type Error = String;

    /// Every definition that a task names is there.
    fn try_from(fields: Fields) -> Result<Self, String> {
        for (index, entry) in fields.script.iter().enumerate() {
            for task in entry.action.tasks() {
                if !fields.definitions.contains_key(&task.definition) {
                    let name = &task.definition;
                    return Err(format!(
                        "script[{index}]: task `{}`: the definition `{name}` is not in `definitions`",
                        task.id
                    ));
                }
            }
        }
        let mut script: Vec<_> = fields.script.into_iter().enumerate().collect();
        script.sort_by_key(|(_, entry)| entry.at_ms);
        Ok(Self {
            name: fields.world,
            policy: fields.policy,
            definitions: fields.definitions,
            found: fields.found,
            store: fields.store,
            store_at: fields.store_at,
            script,
            until_ms: fields.until_ms,
            seed: fields.seed,
        })
    }
}

/// The calls of each operation: the first call takes the first entry, the last
/// entry repeats.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Definition {
    executor: Vec<Call>,
    update: Vec<Call>,
    prepare: Vec<Call>,
    start: Vec<Call>,
    wait: Vec<Call>,
    shutdown: Vec<Call>,
    terminate: Vec<Call>,
    remove: Vec<Call>,
    close: Vec<Call>,
    inspect: Vec<Call>,
}

impl Definition {
    /// The behavior of call number `n` of an operation.
    pub(crate) fn call(&self, operation: &str, n: usize) -> Call {
        let calls = match operation {
            "controller" => &self.executor,
            "update" => &self.update,
            "prepare" => &self.prepare,
            "start" => &self.start,
            "wait" => &self.wait,
            "shutdown" => &self.shutdown,
            "terminate" => &self.terminate,
            "remove" => &self.remove,
            "close" => &self.close,
            _ => &self.inspect,
        };
        let absent = if operation == "wait" { Call::never() } else { Call::at_once() };
        nth(calls, n).unwrap_or(absent)
    }
}

/// Entry number `n`; the last one repeats.
pub(crate) fn nth(calls: &[Call], n: usize) -> Option<Call> {
    calls.get(n).or(calls.last()).cloned()
}

#[derive(Clone, Deserialize)]
pub(crate) struct Call {
    /// `null`: the call never returns.
    #[serde(default = "zero")]
    pub(crate) takes_ms: Option<u64>,
    pub(crate) error: Option<ErrorScript>,
    #[serde(default)]
    pub(crate) took_effect: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "serde asks for the type of the field")]
fn zero() -> Option<u64> {
    Some(0)
}

impl Call {
    pub(crate) fn at_once() -> Self {
        Self { takes_ms: Some(0), error: None, took_effect: false }
    }

    fn never() -> Self {
        Self { takes_ms: None, ..Self::at_once() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Found {
    pub(crate) strays: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) reconcile: BTreeMap<String, Vec<Call>>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Commit {
    /// `null`: the commit never returns.
    #[serde(default = "zero")]
    pub(crate) takes_ms: Option<u64>,
    #[serde(default)]
    pub(crate) fails: bool,
    #[serde(default)]
    pub(crate) written: Written,
}

impl Commit {
    pub(crate) fn at_once() -> Self {
        Self { takes_ms: Some(0), fails: false, written: Written(0) }
    }
}

/// How many changes a commit has written that failed or was interrupted.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Written(pub(crate) usize);

impl TryFrom<Value> for Written {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, &'static str> {
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match (value.as_str(), number) {
            (Some("none"), _) => Ok(Self(0)),
            (Some("all"), _) => Ok(Self(usize::MAX)),
            (None, Some(number)) => Ok(Self(number)),
            _ => Err("expected \"none\", \"all\" or a number of changes"),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Window {
    from_ms: u64,
    to_ms: u64,
    #[serde(flatten)]
    commit: Commit,
}

/// The behavior of the commit that begins now. `number` counts commits from 0.
pub(crate) fn commit(world: &World, now: u64, number: usize) -> Commit {
    let covers = |window: &&Window| (window.from_ms..window.to_ms).contains(&now);
    let window = world.store_at.iter().find(covers).map(|window| &window.commit);
    window.or(world.store.get(number)).cloned().unwrap_or_else(Commit::at_once)
}

#[derive(Deserialize)]
#[serde(try_from = "EntryFields")]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    pub(crate) action: Action,
}

#[derive(Deserialize)]
struct EntryFields {
    at_ms: u64,
    assign: Option<Vec<Task>>,
    update: Option<Vec<Change>>,
    shut_down: Option<bool>,
    listen: Option<String>,
    unlisten: Option<String>,
    close: Option<bool>,
    crash: Option<Crash>,
}

#[derive(Clone)]
pub(crate) enum Action {
    Assign(Vec<Task>),
    Update(Vec<Change>),
    ShutDown,
    Listen(String),
    Unlisten(String),
    Close,
    Crash { restart_ms: u64 },
}

impl Action {
    fn tasks(&self) -> Vec<&Task> {
        match self {
            Self::Assign(tasks) => tasks.iter().collect(),
            Self::Update(changes) => changes.iter().filter_map(Change::task).collect(),
            Self::ShutDown
            | Self::Listen(_)
            | Self::Unlisten(_)
            | Self::Close
            | Self::Crash { .. } => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Crash {
    restart_ms: u64,
}

impl TryFrom<EntryFields> for Entry {
    type Error = &'static str;

    fn try_from(fields: EntryFields) -> Result<Self, &'static str> {
        let EntryFields { at_ms, assign, update, shut_down, listen, unlisten, close, crash } =
            fields;
        if shut_down == Some(false) || close == Some(false) {
            return Err("`shut_down` and `close` can only be true");
        }
        if [&listen, &unlisten].into_iter().flatten().any(|name| name == FIRST) {
            return Err("the name `first` is taken: that one listens from the beginning");
        }
        let actions = [
            assign.map(Action::Assign),
            update.map(Action::Update),
            shut_down.map(|_| Action::ShutDown),
            listen.map(Action::Listen),
            unlisten.map(Action::Unlisten),
            close.map(|_| Action::Close),
            crash.map(|Crash { restart_ms }| Action::Crash { restart_ms }),
        ];
        let mut actions = actions.into_iter().flatten();
        match (actions.next(), actions.next()) {
            (Some(action), None) => Ok(Self { at_ms, action }),
            _ => Err("expected one of `assign`, `update`, `shut_down`, `listen`, `unlisten`, \
                 `close` and `crash`"),
        }
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) definition: String,
    #[serde(default = "running")]
    pub(crate) desired_state: TaskState,
    pub(crate) status: Option<TaskStatus>,
}

fn running() -> TaskState {
    TaskState::Running
}

#[derive(Clone, Deserialize)]
#[serde(try_from = "ChangeFields")]
pub(crate) enum Change {
    Update(Box<Task>),
    Remove(String),
}

impl Change {
    fn task(&self) -> Option<&Task> {
        match self {
            Self::Update(task) => Some(task),
            Self::Remove(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct ChangeFields {
    remove: Option<String>,
    id: Option<String>,
    definition: Option<String>,
    #[serde(default = "running")]
    desired_state: TaskState,
    status: Option<TaskStatus>,
}

impl TryFrom<ChangeFields> for Change {
    type Error = &'static str;

    fn try_from(fields: ChangeFields) -> Result<Self, &'static str> {
        let ChangeFields { remove, id, definition, desired_state, status } = fields;
        match (remove, id, definition) {
            (Some(id), None, None) => Ok(Self::Remove(id)),
            (None, Some(id), Some(definition)) => {
                Ok(Self::Update(Box::new(Task { id, definition, desired_state, status })))
            }
            _ => Err("expected a task with `id` and `definition`, or `remove` alone"),
        }
    }
}
