//! Tests on a simulated disk: failures, crashes and damage, after each write and at each byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use super::database::{Expected, Opened};
use super::record::Steps;
use super::{Migration, OpenStoreError, RedbStore};
use crate::agent::store::{Store, StoreChange, StoreError, StoredTask, TaskRecord};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use ::redb::StorageBackend;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use futures::FutureExt;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Tasks = Vec<StoredTask<String>>;
type Tested = Result<(), Box<dyn Error>>;

/// A file on a disk that can crash and fail. Clones are the same file.
#[derive(Clone, Default, Debug)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Default, Debug)]
struct Platter {
    bytes: Vec<u8>,
    /// All writes so far.
    done: Vec<Done>,
    /// The number of writes before the disk is full.
    left: Option<usize>,
}

#[derive(Clone, Debug)]
enum Done {
    Write(usize, Vec<u8>),
    Len(usize),
    Sync,
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter { bytes, ..Platter::default() })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> Vec<u8> {
        self.platter().bytes.clone()
    }

    fn done(&self) -> usize {
        self.platter().done.len()
    }

    /// A possible state of the disk after a crash: each write that was not flushed is there or
    /// not, at random.
    fn after_crash(&self, done: usize, mut chance: u64) -> Self {
        self.crashed(done, |_| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            chance >> 63 == 0
        })
    }

    /// A state of the disk after a crash. `is_written` decides about each write that was not
    /// flushed, by its distance from the last one.
    fn crashed(&self, done: usize, mut is_written: impl FnMut(usize) -> bool) -> Self {
        let platter = self.platter();
        let done = platter.done.get(..done).unwrap_or_default();
        let flushed = done.iter().rposition(|done| matches!(done, Done::Sync)).unwrap_or(0);
        let mut bytes = Vec::new();
        let end = done.len();
        for (at, done) in done.iter().enumerate() {
            let distance = end.saturating_sub(at + 1);
            let is_written = is_written(distance);
            if at < flushed || is_written {
                done.apply(&mut bytes);
            }
        }
        Self::of(bytes)
    }

    fn act(&self, action: Done) -> io::Result<()> {
        let mut platter = self.platter();
        if let Some(left) = &mut platter.left {
            *left = left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        }
        action.apply(&mut platter.bytes);
        platter.done.push(action);
        Ok(())
    }

    fn open<D: serde::de::DeserializeOwned>(&self, steps: Steps) -> Result<Opened, OpenStoreError> {
        Opened::new::<D>(path(), Arc::new(self.clone()), &steps, Expected::StoreOrNothing)
    }

    fn store(&self) -> Result<RedbStore<String>, OpenStoreError> {
        let steps = Steps::default();
        let opened = self.open::<String>(steps)?;
        Ok(RedbStore::new(path().into(), steps, Box::new(|work| work()), opened))
    }
}

impl Done {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                to.resize(to.len().max(at + bytes.len()), 0);
                let there = to.get_mut(*at..at + bytes.len()).unwrap_or_default();
                there.copy_from_slice(bytes);
            }
            Self::Len(len) => to.resize(*len, 0),
            Self::Sync => {}
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let platter = self.platter();
        let there = at.checked_add(out.len()).and_then(|end| platter.bytes.get(at..end));
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.act(Done::Len(usize::try_from(len).map_err(io::Error::other)?))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(Done::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.act(Done::Write(usize::try_from(offset).map_err(io::Error::other)?, data.into()))
    }
}

fn path() -> &'static Path {
    Path::new("tasks")
}

fn record(id: &str) -> StoreChange<String> {
    StoreChange::Record(TaskRecord::new(Assignment::new(id, format!("image of {id}"))).into())
}

fn status(id: &str, state: TaskState) -> StoreChange<String> {
    StoreChange::Status { id: id.into(), status: TaskStatus::new(state).into() }
}

fn delete(id: &str) -> StoreChange<String> {
    StoreChange::Delete { id: id.into() }
}

fn commit(store: &RedbStore<String>, changes: &[StoreChange<String>]) -> Result<(), StoreError> {
    now(store.commit(changes))
}

fn load(store: &RedbStore<String>) -> Result<Tasks, StoreError> {
    now(store.load())
}

/// Runs a call whose work is done at once, on this thread.
fn now<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    call.now_or_never().unwrap_or_else(|| Err(StoreError::new("it does not wait")))
}

/// The commits of the tests.
fn commits() -> Vec<Vec<StoreChange<String>>> {
    let many = (0..40).map(|n| record(&format!("task-{n}"))).collect();
    Vec::from([
        Vec::from([record("a")]),
        Vec::from([record("b"), status("a", TaskState::Running)]),
        many,
        (0..40).map(|n| status(&format!("task-{n}"), TaskState::Failed)).collect(),
        (0..40).step_by(3).map(|n| delete(&format!("task-{n}"))).collect(),
        Vec::from([delete("b"), status("b", TaskState::Running)]),
    ])
}

/// A disk with all of these commits, its store, and the stored tasks.
fn written() -> Result<(Disk, RedbStore<String>, Tasks), Box<dyn Error>> {
    let disk = Disk::default();
    let store = disk.store()?;
    for changes in commits() {
        commit(&store, &changes)?;
    }
    let tasks = load(&store)?;
    Ok((disk, store, tasks))
}

#[test]
fn a_commit_is_one_flush_whatever_is_in_it() -> Tested {
    let (disk, store, _) = written()?;
    let done = disk.done();
    let states = (0..500).map(|n| status(&format!("task-{}", n % 40), TaskState::Complete));
    let changes: Vec<_> = [record("new"), delete("a")].into_iter().chain(states).collect();
    commit(&store, &changes)?;
    let platter = disk.platter();
    let flushes = platter.done.iter().skip(done).filter(|done| matches!(done, Done::Sync)).count();
    assert_eq!(flushes, 1);
    Ok(())
}

#[test]
fn a_crash_after_any_write_loses_no_confirmed_commit() -> Tested {
    let disk = Disk::default();
    // The tasks that are stored from each write on. Before the store is created, there are none.
    let mut moments = Vec::from([(0, Vec::new())]);
    let mut store = disk.store()?;
    moments.push((disk.done(), Vec::new()));
    for (n, changes) in commits().into_iter().enumerate() {
        if n == 3 {
            // Not closed: opened as after a crash.
            drop(store);
            store = disk.store()?;
        }
        commit(&store, &changes)?;
        moments.push((disk.done(), load(&store)?));
    }
    now(store.close())?;
    moments.push((disk.done(), disk.store().map(|store| load(&store))??));
    for done in 0..=disk.done() {
        let confirmed = moments.iter().rposition(|(moment, _)| *moment <= done).unwrap_or(0);
        let possible = moments.get(confirmed..).unwrap_or_default();
        let by_chance = (0..2).map(|chance| disk.after_crash(done, 2 * done as u64 + chance));
        // Only the last write was made, or all but the last one.
        let last = [true, false].map(|is_last| disk.crashed(done, |at| (at == 0) == is_last));
        for crashed in by_chance.chain(last) {
            let found = load(&crashed.store()?)?;
            let is_possible = possible.iter().take(2).any(|(_, tasks)| *tasks == found);
            assert!(is_possible, "after {done} of {} writes: {found:#?}", disk.done());
        }
    }
    Ok(())
}

#[test]
fn a_failure_of_any_write_loses_nothing_and_the_next_commit_succeeds() -> Tested {
    let (disk, store, before) = written()?;
    now(store.close())?;
    let bytes = disk.bytes();
    let changes = [record("new"), status("a", TaskState::Complete), delete("task-1")];
    let store = disk.store()?;
    commit(&store, &changes)?;
    let after = load(&store)?;
    for left in 0.. {
        let disk = Disk::of(bytes.clone());
        let store = disk.store()?;
        disk.platter().left = Some(left);
        let Err(error) = commit(&store, &changes) else {
            assert!(left > 3, "a commit is several writes");
            break;
        };
        assert_eq!(error.to_string(), "tasks: no storage space; make room there");
        // The disk is still full.
        disk.platter().left = Some(0);
        assert!(commit(&store, &changes).is_err());
        disk.platter().left = None;
        let found = load(&store)?;
        assert!(found == before || found == after, "{found:#?}");
        commit(&store, &changes)?;
        assert_eq!(load(&store)?, after);
        drop(store);
        assert_eq!(load(&disk.store()?)?, after);
    }
    Ok(())
}

#[test]
fn a_store_that_has_failed_can_be_closed() -> Tested {
    let (disk, store, before) = written()?;
    disk.platter().left = Some(0);
    assert!(commit(&store, &[record("new")]).is_err());
    disk.platter().left = None;
    now(store.close())?;
    let error = commit(&store, &[record("new")]).err().map(|error| error.to_string());
    let expected = "tasks: this store has been closed; open it again";
    assert_eq!(error.as_deref(), Some(expected));
    drop(store);
    assert_eq!(load(&disk.store()?)?, before);
    Ok(())
}

#[test]
fn a_store_that_could_not_be_created_can_be_created_later() -> Tested {
    for left in 0.. {
        let disk = Disk::default();
        disk.platter().left = Some(left);
        let made = disk.store();
        if made.is_ok() {
            break;
        }
        disk.platter().left = None;
        assert_eq!(load(&disk.store()?)?, []);
    }
    Ok(())
}

/// Opens a damaged store. It must be refused and unchanged, or no task may be missing.
fn judge(damaged: &[u8], tasks: &[&[StoredTask<String>]], what: &str) -> Result<bool, StoreError> {
    let disk = Disk::of(damaged.into());
    match disk.store() {
        Err(error) => {
            assert!(disk.bytes() == damaged, "{what}: {error}, and the file was written");
            Ok(false)
        }
        Ok(store) => {
            let found = load(&store)?;
            assert!(tasks.contains(&&*found), "{what}: {found:#?}");
            Ok(true)
        }
    }
}

#[test]
fn a_truncated_store_is_refused_and_unchanged() -> Tested {
    let (disk, store, tasks) = written()?;
    now(store.close())?;
    let bytes = disk.bytes();
    let lens = (1..700).step_by(23).chain((0..bytes.len()).step_by(4096)).chain([bytes.len() - 1]);
    for len in lens.filter(|len| *len > 0) {
        let damaged = bytes.get(..len).unwrap_or_default();
        judge(damaged, &[&tasks], &format!("{len} bytes"))?;
    }
    Ok(())
}

/// Some bits of a file: of its header, and of each page that is not empty.
fn bits(bytes: &[u8]) -> Vec<(usize, usize)> {
    let flags = [9, 64, 192].into_iter().flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let pages = bytes.chunks(4096).zip((0..).step_by(4096));
    let used = pages.filter(|(page, _)| page.iter().any(|byte| *byte != 0));
    let used = used.flat_map(|(page, at)| (at % 97..page.len()).step_by(307).map(move |n| at + n));
    flags.chain((0..320).chain(used).map(|at| (at, at % 8))).collect()
}

/// The number of flipped bits with which the store was refused, and of those that were harmless.
fn turn_bits(disk: &Disk, tasks: &[&[StoredTask<String>]]) -> Result<(u32, u32), StoreError> {
    let bytes = disk.bytes();
    let (mut refused, mut harmless) = (0, 0);
    for (at, bit) in bits(&bytes) {
        let mut damaged = bytes.clone();
        damaged.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
        let opened = judge(&damaged, tasks, &format!("bit {bit} of byte {at}"))?;
        *if opened { &mut harmless } else { &mut refused } += 1;
    }
    Ok((refused, harmless))
}

#[test]
fn a_store_with_a_flipped_bit_is_refused_and_unchanged_or_no_task_is_missing() -> Tested {
    let (disk, store, tasks) = written()?;
    now(store.close())?;
    let (refused, harmless) = turn_bits(&disk, &[&tasks])?;
    assert!(refused > 50 && harmless > 50, "{refused} refused, {harmless} harmless");
    Ok(())
}

#[test]
fn a_flipped_bit_in_a_store_that_was_not_closed_loses_at_most_the_last_commit() -> Tested {
    let (disk, store, before) = written()?;
    commit(&store, &[record("last")])?;
    let tasks = load(&store)?;
    drop(store);
    let (refused, harmless) = turn_bits(&disk, &[&tasks, &before])?;
    assert!(refused > 20 && harmless > 50, "{refused} refused, {harmless} harmless");
    Ok(())
}

/// Invented old versions. In version 1, a record had no `removing`, and its definition was called
/// `image`. In version 2, the state was called `phase`.
const RECORDS: &[Migration] = &[
    |mut task| {
        let assignment = task.pointer_mut("/record/assignment").ok_or("no assignment")?;
        assignment["definition"] = assignment["image"].take();
        task["record"]["removing"] = json!(false);
        Ok(task)
    },
    |mut task| {
        if let Some(phase) = task.pointer_mut("/status/phase").map(Value::take) {
            task["status"] = json!({ "State": phase });
        }
        Ok(task)
    },
];

#[test]
fn records_of_an_older_version_are_migrated_with_their_definitions() -> Tested {
    let definitions: &[Migration] = &[|image| Ok(json!({ "image": image }))];
    let disk = Disk::default();
    drop(disk.open::<Value>(Steps::default())?);
    let plain =
        |id: &str| json!({ "id": id, "version": 1, "desired_state": "running", "image": id });
    let a = json!({ "assignment": plain("a"), "policy": null, "next": null, "applied": null });
    let b = json!({ "assignment": plain("b"), "policy": null, "next": null, "applied": null });
    put(&disk, &[("a", a, Some(json!({ "phase": "starting" }))), ("b", b, None)])?;

    let steps = Steps { records: RECORDS, definitions };
    let opened = disk.open::<Value>(steps)?;
    let tasks = super::stored::<Value>(path(), opened.load(path())?)?;
    drop(opened);
    let expected = |id: &str| {
        let definition = json!({ "image": id });
        TaskRecord::new(Assignment::new(id, definition))
    };
    let starting = TaskStatus::new(TaskState::Starting);
    assert_eq!(
        tasks,
        [StoredTask::new(expected("a"), Some(starting)), StoredTask::new(expected("b"), None)]
    );
    // Each migration is applied once.
    let again = disk.open::<Value>(steps)?.load(path())?;
    assert_eq!(super::stored::<Value>(path(), again)?, tasks);
    // An agent without the migrations refuses the file and does not change it.
    let bytes = disk.bytes();
    let error = disk.open::<Value>(Steps::default()).err().map(|error| error.to_string());
    let expected = "tasks: a newer agent has written this store: its records have version 3, and this agent reads up to 1; run the newer agent, or move the store away to begin without its tasks";
    assert_eq!(error.as_deref(), Some(expected));
    assert!(disk.bytes() == bytes);
    Ok(())
}

/// Writes raw bytes into a store.
fn put(disk: &Disk, tasks: &[(&str, Value, Option<Value>)]) -> Tested {
    let database = ::redb::Builder::new().create_with_backend(disk.clone())?;
    let write = database.begin_write()?;
    for (id, record, status) in tasks {
        let record = record.to_string();
        write.open_table(super::database::RECORDS)?.insert(*id, record.as_bytes())?;
        if let Some(status) = status {
            let status = status.to_string();
            write.open_table(super::database::STATUSES)?.insert(*id, status.as_bytes())?;
        }
    }
    write.commit()?;
    Ok(())
}

#[test]
fn a_migration_that_fails_or_panics_changes_nothing() -> Tested {
    let (disk, store, tasks) = written()?;
    drop(store);
    let bytes = disk.bytes();
    let failing: &[Migration] = &[Ok, |image| {
        let odd = image.as_str().is_some_and(|image| image.ends_with("task-4"));
        if odd { Err("it is odd".into()) } else { Ok(image) }
    }];
    let panicking: &[Migration] = &[|image| {
        assert_eq!(image, "", "an image");
        Ok(image)
    }];
    for (definitions, why) in [
        (
            failing,
            "task \"task-4\": the migration of its definitions from version 2 failed: it is odd",
        ),
        (
            panicking,
            "task \"a\": the migration of its definitions from version 1 failed: assertion `left == right` failed: an image",
        ),
    ] {
        let opened = disk.open::<Value>(Steps { definitions, ..Steps::default() });
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(&format!("tasks: {why}")), "{error}");
        assert!(disk.bytes() == bytes, "{why}");
    }
    assert_eq!(load(&disk.store()?)?, tasks);
    Ok(())
}
