//! Streams of assignments: recorded ones, and any others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use swarm_worker::assignments::{Assignments, Change, Changes};
use swarm_worker::wire::assignment::Item;
use swarm_worker::wire::assignment_change::AssignmentAction;
use swarm_worker::wire::assignments_message::Type;
use swarm_worker::wire::{Assignment, AssignmentChange, AssignmentsMessage, Config, Secret, Task};

fn recorded(name: &str) -> AssignmentsMessage {
    let path = format!("{}/tests/data/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    AssignmentsMessage::decode(&*std::fs::read(path).unwrap()).unwrap()
}

/// What a worker has after some messages, by id. The number is the version of the thing.
#[derive(Debug, Default, Clone, PartialEq)]
struct Model {
    tasks: BTreeMap<String, u64>,
    secrets: BTreeMap<String, u64>,
    configs: BTreeMap<String, u64>,
}

impl Model {
    fn apply(&mut self, changes: &Changes) {
        if changes.is_complete {
            *self = Self::default();
        }
        apply(&mut self.tasks, &changes.tasks, |task| task.slot);
        apply(&mut self.secrets, &changes.secrets, |secret| version(secret.meta.as_ref()));
        apply(&mut self.configs, &changes.configs, |config| version(config.meta.as_ref()));
    }

    /// Everything, in a COMPLETE message.
    fn complete(&self) -> Vec<AssignmentChange> {
        let tasks = self.tasks.iter().map(|(id, version)| item(0, id, *version));
        let secrets = self.secrets.iter().map(|(id, version)| item(1, id, *version));
        let configs = self.configs.iter().map(|(id, version)| item(2, id, *version));
        tasks.chain(secrets).chain(configs).map(|item| change(item, true)).collect()
    }
}

fn version(meta: Option<&swarm_worker::wire::Meta>) -> u64 {
    meta.and_then(|meta| meta.version.as_ref()).map_or(0, |version| version.index)
}

fn apply<T>(
    to: &mut BTreeMap<String, u64>,
    changes: &BTreeMap<String, Change<T>>,
    version: impl Fn(&T) -> u64,
) {
    for (id, change) in changes {
        match change {
            Change::Update(value) => _ = to.insert(id.clone(), version(value)),
            Change::Remove => _ = to.remove(id),
        }
    }
}

fn item(kind: u8, id: &str, version: u64) -> Item {
    let id = id.to_owned();
    let version_of = swarm_worker::wire::Version { index: version };
    let meta = Some(swarm_worker::wire::Meta { version: Some(version_of), ..Default::default() });
    match kind {
        0 => Item::Task(Box::new(Task { id, slot: version, ..Task::default() })),
        1 => Item::Secret(Secret { id, meta, ..Secret::default() }),
        _ => Item::Config(Config { id, meta, ..Config::default() }),
    }
}

fn change(item: Item, is_update: bool) -> AssignmentChange {
    let action = if is_update { AssignmentAction::Update } else { AssignmentAction::Remove };
    let assignment = Some(Assignment { item: Some(item) });
    AssignmentChange { assignment, action: action.into() }
}

fn incremental(number: usize, changes: Vec<AssignmentChange>) -> AssignmentsMessage {
    AssignmentsMessage {
        r#type: Type::Incremental.into(),
        applies_to: number.to_string(),
        results_in: (number + 1).to_string(),
        changes,
    }
}

fn complete(number: usize, changes: Vec<AssignmentChange>) -> AssignmentsMessage {
    let results_in = number.to_string();
    AssignmentsMessage { r#type: Type::Complete.into(), results_in, changes, ..Default::default() }
}

/// One change of a message: kind, id, version, and whether it is an update.
fn any_change() -> impl Strategy<Value = (u8, u8, u64, bool)> {
    (0..3_u8, 0..6_u8, 1..100_u64, any::<bool>())
}

proptest! {
    /// A manager sends messages, and some of them are lost. Then the stream is opened again.
    #[test]
    fn the_worker_has_what_the_manager_has_although_messages_are_lost(
        messages in vec((vec(any_change(), 0..5), prop::bool::weighted(0.2)), 0..30),
    ) {
        let (mut manager, mut worker) = (Model::default(), Model::default());
        let mut stream = Assignments::new();
        worker.apply(&stream.read(complete(0, Vec::new())).unwrap());
        let mut in_step = true;
        let mut number = 0;
        for (changes, is_lost) in messages {
            let changes: Vec<_> = changes
                .into_iter()
                .map(|(kind, id, version, is_update)| {
                    change(item(kind, &id.to_string(), version), is_update)
                })
                .collect();
            let message = incremental(number, changes);
            number += 1;
            // What the manager has: each change, in order.
            let mut own = Assignments::new();
            let before = own.read(complete(number - 1, manager.complete())).unwrap();
            manager.apply(&before);
            manager.apply(&own.read(message.clone()).unwrap());
            if is_lost {
                in_step = false;
                continue;
            }
            let was = worker.clone();
            match stream.read(message) {
                Ok(changes) => {
                    prop_assert!(in_step, "a gap was not seen");
                    worker.apply(&changes);
                }
                Err(gap) => {
                    prop_assert!(!in_step, "{gap}");
                    prop_assert_eq!(&worker, &was);
                    stream = Assignments::new();
                    worker.apply(&stream.read(complete(number, manager.complete())).unwrap());
                    in_step = true;
                }
            }
            prop_assert_eq!(&worker, &manager);
        }
    }

    /// The order of the changes of different things in a message does not matter.
    #[test]
    fn dependencies_are_found_wherever_they_are_in_a_message(
        ids in prop::collection::btree_set((0..3_u8, 0..6_u8), 0..12),
        seed in any::<u64>(),
    ) {
        let mut changes: Vec<_> =
            ids.iter().map(|(kind, id)| change(item(*kind, &id.to_string(), 1), true)).collect();
        let read = |changes| Assignments::new().read(complete(1, changes)).unwrap();
        let expected = read(changes.clone());
        let count = changes.len().max(1);
        changes.rotate_left(usize::try_from(seed % count as u64).unwrap());
        changes.reverse();
        prop_assert_eq!(read(changes), expected);
    }
}

#[test]
fn a_stream_that_does_not_begin_with_everything_has_a_gap() {
    let gap = Assignments::new().read(incremental(1, Vec::new())).unwrap_err();
    assert_eq!((gap.expected, &*gap.found), (None, "1"));
    let mut stream = Assignments::new();
    stream.read(complete(1, Vec::new())).unwrap();
    let gap = stream.read(incremental(2, Vec::new())).unwrap_err();
    assert_eq!(gap.expected.as_deref(), Some("1"));
    // The same message again is a gap, too.
    stream.read(incremental(1, Vec::new())).unwrap();
    stream.read(incremental(1, Vec::new())).unwrap_err();
}

#[test]
fn the_last_of_two_changes_of_a_task_counts() {
    let changes = vec![change(item(0, "a", 1), true), change(item(0, "a", 2), false)];
    let read = Assignments::new().read(complete(1, changes)).unwrap();
    assert_eq!(read.tasks["a"], Change::Remove);
}

#[test]
fn what_is_unknown_is_skipped() {
    let nothing = AssignmentChange { assignment: None, action: 0 };
    let action = AssignmentChange { action: 7, ..change(item(0, "a", 1), true) };
    let no_id = change(item(0, "", 1), true);
    let good = change(item(0, "b", 1), true);
    let read = Assignments::new().read(complete(1, vec![nothing, action, no_id, good])).unwrap();
    assert_eq!(read.tasks.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn recorded_messages_follow_each_other() {
    let (mut stream, mut worker) = (Assignments::new(), Model::default());
    let mut read = |worker: &mut Model, name| worker.apply(&stream.read(recorded(name)).unwrap());
    read(&mut worker, "06-assignments-complete-empty");
    read(&mut worker, "07-assignments-incremental-rich");
    read(&mut worker, "08-assignments-incremental-jobs-global-plain");
    read(&mut worker, "09-assignments-incremental-jobs-global-plain");
    read(&mut worker, "10-assignments-incremental-job-goes-on");
    read(&mut worker, "11-assignments-incremental-update-stop-first");
    read(&mut worker, "12-assignments-incremental-update-replacement");
    read(&mut worker, "13-assignments-incremental-scale-down");
    read(&mut worker, "14-assignments-incremental-reaped");
    let after = worker.clone();
    // A second stream of the same session has everything.
    let mut stream = Assignments::new();
    let mut read = |worker: &mut Model, name| worker.apply(&stream.read(recorded(name)).unwrap());
    read(&mut worker, "15-assignments-complete-full");
    assert_eq!(worker, after);
    read(&mut worker, "16-assignments-incremental-service-removed");
    assert!(!worker.secrets.is_empty() && !worker.configs.is_empty());
    read(&mut worker, "17-assignments-incremental-secret-gone");
    assert!(worker.secrets.is_empty() && worker.configs.is_empty());
    // They are removed again.
    read(&mut worker, "18-assignments-incremental-secret-gone");
    read(&mut worker, "25-assignments-incremental-drain");
    assert!(worker.secrets.is_empty() && worker.configs.is_empty());
}
