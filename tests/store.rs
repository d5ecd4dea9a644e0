//! Tests of stores: what they keep, and how they treat damaged and foreign files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "store/disk.rs"]
mod disk;
#[path = "store/generator.rs"]
mod generator;

#[cfg(target_os = "linux")]
use disk::Disk;
use disk::is_refused;
use futures::executor::block_on;
use futures::future::join_all;
use futures::{FutureExt, pin_mut};
use generator::changes;
use onward::agent::store::{
    Migration, OpenStoreError, RedbOptions, StoreChange, StoreError, StoredTask, TaskRecord,
};
use onward::agent::{AssignedTask, MemoryStore, RedbStore, Store};
use onward::{Assignment, TaskState, TaskStatus};
use proptest::collection::vec;
use proptest::prelude::*;
use redb::{Database, TableDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
#[cfg(unix)]
use std::time::{Duration, Instant};

type Work = Box<dyn FnOnce() + Send>;

/// Runs the work on the thread that the test chooses.
fn here(work: Work) {
    work();
}

fn open<D>(path: &Path) -> Result<RedbStore<D>, OpenStoreError>
where
    D: Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    block_on(RedbStore::open(path, here))
}

fn a_task(id: &str) -> TaskRecord<String> {
    TaskRecord::new(Assignment::new(id, format!("the image of {id}")))
}

fn record(id: &str) -> StoreChange<String> {
    StoreChange::Record(a_task(id).into())
}

fn status(id: &str, state: TaskState) -> StoreChange<String> {
    StoreChange::Status { id: id.into(), status: TaskStatus::new(state).into() }
}

fn delete(id: &str) -> StoreChange<String> {
    StoreChange::Delete { id: id.into() }
}

/// A directory for one store, which is deleted after the test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("tasks")
    }

    /// A store with these changes, which has been closed.
    fn with(changes: &[StoreChange<String>]) -> Self {
        let place = Self::new();
        let store = open(&place.path()).unwrap();
        block_on(store.commit(changes)).unwrap();
        block_on(store.close()).unwrap();
        place
    }
}

/// All tasks in a store, by id.
fn all<D>(store: &impl Store<D>) -> Vec<StoredTask<D>> {
    let mut tasks = block_on(store.load()).unwrap();
    tasks.sort_by(|a, b| a.record.id().cmp(b.record.id()));
    tasks
}

fn ids(store: &impl Store<String>) -> Vec<String> {
    all(store).iter().map(|task| task.record.id().to_owned()).collect()
}

/// Runs a test for every kind of store.
fn of_every_store(
    says: impl Fn(&dyn Fn(&[StoreChange<String>]), &dyn Fn() -> Vec<StoredTask<String>>),
) {
    let memory = MemoryStore::new();
    says(&|changes| block_on(memory.commit(changes)).unwrap(), &|| all(&memory));
    let place = Place::new();
    let redb = open::<String>(&place.path()).unwrap();
    says(&|changes| block_on(redb.commit(changes)).unwrap(), &|| all(&redb));
}

#[test]
fn a_new_record_keeps_the_status() {
    of_every_store(|commit, load| {
        commit(&[record("a"), status("a", TaskState::Running)]);
        let changed = TaskRecord::new(Assignment::new("a", "another image".to_owned()));
        commit(&[StoreChange::Record(changed.clone().into())]);
        let running = TaskStatus::new(TaskState::Running);
        assert_eq!(load(), [StoredTask::new(changed.clone(), Some(running))]);
    });
}

#[test]
fn a_status_without_a_record_is_ignored() {
    of_every_store(|commit, load| {
        commit(&[status("a", TaskState::Running), record("a")]);
        assert_eq!(load(), [StoredTask::new(a_task("a"), None)]);
    });
}

#[test]
fn a_deleted_task_has_no_status() {
    of_every_store(|commit, load| {
        commit(&[record("a"), status("a", TaskState::Running), delete("a"), delete("a")]);
        assert_eq!(load(), []);
        commit(&[record("a")]);
        assert_eq!(load(), [StoredTask::new(a_task("a"), None)]);
    });
}

/// Opens a store again.
#[derive(Clone, Copy, Debug)]
enum Again {
    No,
    Dropped,
    Closed,
    Killed,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_committed_a_file_has_what_memory_has(
        commits in vec(
            (changes(), prop_oneof![Just(Again::No), Just(Again::Dropped), Just(Again::Closed), Just(Again::Killed)]),
            1..8,
        ),
    ) {
        let (place, memory) = (Place::new(), MemoryStore::new());
        let mut path = place.path();
        let spare = place.0.path().join("spare");
        let mut file = open::<Value>(&path).unwrap();
        for (at, (changes, again)) in commits.into_iter().enumerate() {
            block_on(memory.commit(&changes)).unwrap();
            block_on(file.commit(&changes)).unwrap();
            match again {
                Again::No => {}
                Again::Dropped => file = open::<Value>(&spare).unwrap(),
                Again::Closed => block_on(file.close()).unwrap(),
                Again::Killed => {
                    let copy = place.0.path().join(format!("copy-{at}"));
                    fs::copy(&path, &copy).unwrap();
                    path = copy;
                }
            }
            if !matches!(again, Again::No) {
                file = open(&path).unwrap();
            }
            prop_assert_eq!(all(&file), all(&memory));
        }
    }
}

const IN_USE: &str =
    "another agent has this store open; stop that agent first, or give this one a store of its own";

#[test]
fn a_store_can_be_opened_only_once_at_a_time() {
    let place = Place::with(&[record("a")]);
    let path = place.path();
    let store = open::<String>(&path).unwrap();
    let clone = store.clone();
    is_refused(&path, open::<String>, IN_USE);
    drop(store);
    is_refused(&path, open::<String>, IN_USE);
    assert_eq!(ids(&clone), ["a"]);
    drop(clone);
    assert_eq!(ids(&open(&path).unwrap()), ["a"]);
}

/// A process that holds the lock of a file, like a child between fork and exec that has inherited a
/// locked file.
#[cfg(unix)]
struct Holder(std::process::Child);

#[cfg(unix)]
impl Holder {
    fn new(path: &Path) -> Self {
        let file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.lock().unwrap();
        let mut command = Command::new("cat");
        Self(command.stdin(Stdio::piped()).stdout(file).spawn().unwrap())
    }

    /// The process ends.
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[cfg(unix)]
#[test]
fn opening_waits_for_the_lock_of_the_file_until_the_timeout() {
    let place = Place::with(&[record("a")]);
    let path = place.path();
    let holder = Holder::new(&path);
    is_refused(&path, open::<String>, IN_USE);
    let open_within = |timeout| {
        let options = RedbStore::<String>::options().with_lock_timeout(timeout);
        move |path: &Path| block_on(options.open::<String>(path, here))
    };
    let (begin, short) = (Instant::now(), Duration::from_millis(50));
    is_refused(&path, open_within(short), IN_USE);
    assert!(begin.elapsed() >= short, "{:?}", begin.elapsed());

    let (opens, opening) = mpsc::channel();
    let ends = std::thread::spawn(move || {
        opening.recv().unwrap();
        holder.end();
    });
    let options = RedbStore::<String>::options().with_lock_timeout(Duration::from_secs(60));
    let offload = move |work: Work| {
        _ = opens.send(());
        work();
    };
    let store = block_on(options.open::<String>(&path, offload)).unwrap();
    ends.join().unwrap();
    assert_eq!(ids(&store), ["a"]);
}

#[cfg(unix)]
#[test]
fn an_open_that_was_dropped_does_not_wait_for_the_lock() {
    let place = Place::with(&[record("a")]);
    let holder = Holder::new(&place.path());
    let (offloads, offloaded) = mpsc::channel();
    let options = RedbStore::<String>::options().with_lock_timeout(Duration::from_secs(3600));
    let opening = options.open::<String>(place.path(), move |work| offloads.send(work).unwrap());
    assert!(opening.now_or_never().is_none());
    // The work still runs, and returns at once.
    let work: Work = offloaded.recv().unwrap();
    work();
    holder.end();
    assert_eq!(ids(&open(&place.path()).unwrap()), ["a"]);
}

#[test]
fn a_closed_store_is_closed_for_all_clones() {
    let place = Place::with(&[record("a")]);
    let path = place.path();
    let store = open::<String>(&path).unwrap();
    let clone = store.clone();
    block_on(store.close()).unwrap();
    block_on(clone.close()).unwrap();
    let error = block_on(clone.commit(&[record("b")])).unwrap_err();
    let closed = format!("{}: this store has been closed; open it again", path.display());
    assert_eq!(error.to_string(), closed);
    assert!(matches!(error.get_ref().downcast_ref(), Some(OpenStoreError::Closed { .. })));
    assert_eq!(ids(&open(&path).unwrap()), ["a"]);
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_unchanged() {
    let place = Place::new();
    let path = place.path();
    let advice = "name another file, or move this one away";
    let not_redb = format!("this is not a store of tasks: it is not a redb database; {advice}");
    for text in ["[[task]]\n", "x", "\0\0\0\0\0\0\0\0\0\0\0\0", "redb, as I said", "onward.."] {
        fs::write(&path, text).unwrap();
        is_refused(&path, open::<String>, &not_redb);
    }
    fs::remove_file(&path).unwrap();

    drop(Database::create(&path).unwrap());
    let other =
        format!("this is not a store of tasks: it is a redb database of another program; {advice}");
    is_refused(&path, open::<String>, &other);
    insert(&path, TableDefinition::<u8, u8>::new("onward.versions"), 1, 1);
    is_refused(&path, open::<String>, &other);
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    let directory = format!("this is not a store of tasks: it is a directory; {advice}");
    is_refused(&path, open::<String>, &directory);
    if cfg!(unix) {
        let Err(error) = open::<String>(Path::new("/dev/null")) else { panic!() };
        let device =
            format!("/dev/null: this is not a store of tasks: it is not a regular file; {advice}");
        assert_eq!(error.to_string(), device);
    }
}

#[test]
fn an_empty_file_and_a_half_created_one_become_a_store() {
    let creating = b"onward\x1A\x0A\xA9 and what was to be a store";
    for bytes in [b"", b"\0\0\0".as_slice(), &creating[..9], creating] {
        let place = Place::new();
        fs::write(place.path(), bytes).unwrap();
        let store = open::<String>(&place.path()).unwrap();
        block_on(store.commit(&[record("a")])).unwrap();
        drop(store);
        assert_eq!(ids(&open(&place.path()).unwrap()), ["a"]);
    }
}

#[test]
fn the_error_of_a_missing_directory_names_it() {
    let place = Place::new();
    let directory = place.0.path().join("no/such");
    let Err(error) = open::<String>(&directory.join("tasks")) else { panic!() };
    let (path, directory) = (directory.join("tasks"), directory.display());
    let missing = format!("{}: there is no directory {directory}; create it first", path.display());
    assert_eq!(error.to_string(), missing);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_new_store() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with(&[]);
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

const ADVICE: &str = "restore it from a copy, or move it away to begin without its tasks";

fn insert<K: redb::Key + 'static, V: redb::Value + 'static>(
    path: &Path,
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'_>,
    value: V::SelfType<'_>,
) {
    let database = Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(table).unwrap().insert(key, value).unwrap();
    write.commit().unwrap();
}

const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("onward.records");
const STATUSES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("onward.statuses");

#[test]
fn the_error_of_a_damaged_record_names_the_task_and_the_field() {
    let good = serde_json::to_value(a_task("a")).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = value;
        record.to_string()
    };
    let damages = [
        (
            RECORDS,
            with("/assignment/desired_state", json!("ready, set")),
            "its record: assignment.desired_state: unknown",
        ),
        (
            RECORDS,
            with("/assignment/definition", json!(["alpine"])),
            "its record: assignment.definition: invalid type: sequence, expected a string at line 1",
        ),
        (RECORDS, with("/assignment/id", json!("b")), "its record is that of task \"b\";"),
        (RECORDS, good.to_string() + "}", "its record: trailing characters at line 1"),
        (RECORDS, "{".to_owned(), "its record: EOF while parsing"),
        (
            STATUSES,
            r#"{"State":"running","PortStatus":{"Ports":[{"TargetPort":-1}]}}"#.to_owned(),
            "its status: PortStatus.Ports[0].TargetPort: invalid value",
        ),
    ];
    for (table, json, damage) in damages {
        let place = Place::with(&[record("a"), record("b")]);
        insert(&place.path(), table, "a", json.as_bytes());
        let bytes = fs::read(place.path()).unwrap();
        let Err(error) = open::<String>(&place.path()) else { panic!("{damage}") };
        let start =
            format!("{}: this store is damaged: task \"a\": {damage}", place.path().display());
        assert!(error.to_string().starts_with(&start), "{error}\n{start}");
        assert!(error.to_string().ends_with(ADVICE), "{error}");
        assert!(fs::read(place.path()).unwrap() == bytes, "{damage}");
    }
    let place = Place::with(&[record("a")]);
    insert(&place.path(), STATUSES, "z", b"{}".as_slice());
    let orphan =
        format!("this store is damaged: task \"z\": it has a status and no record; {ADVICE}");
    is_refused(&place.path(), open::<String>, &orphan);
}

#[test]
fn a_truncated_store_is_refused_with_that_reason() {
    let place = Place::with(&[record("a")]);
    let bytes = fs::read(place.path()).unwrap();
    for len in [4, 100, 4096] {
        fs::write(place.path(), &bytes[..len]).unwrap();
        let Err(error) = open::<String>(&place.path()) else { panic!("{len}") };
        assert!(matches!(error, OpenStoreError::Corrupt { task: None, .. }), "{error:?}");
        assert!(fs::read(place.path()).unwrap() == bytes[..len]);
    }
}

const NAMED: Migration = |image| match image {
    Value::String(image) => Ok(json!({ "image": image })),
    other => Err(format!("{other} is no image").into()),
};
const WITH_ARGUMENTS: Migration = |mut definition| {
    definition["args"] = json!([]);
    Ok(definition)
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Container {
    image: String,
    args: Vec<String>,
}

fn open_containers(path: &Path) -> Result<RedbStore<Container>, OpenStoreError> {
    let options = RedbStore::<Container>::options().with_migrations(&[NAMED, WITH_ARGUMENTS]);
    block_on(options.open(path, here))
}

#[test]
fn definitions_of_an_older_version_are_migrated() {
    let mut waited_for = a_task("a");
    waited_for.next = Some(Box::new(AssignedTask::from(a_task("a")).into()));
    waited_for.applied = Some(a_task("a").assignment);
    let running = status("a", TaskState::Running);
    let place = Place::with(&[StoreChange::Record(waited_for.into()), running, record("b")]);

    let container = |id: &str| {
        let image = format!("the image of {id}");
        TaskRecord::new(Assignment::new(id, Container { image, args: Vec::new() }))
    };
    let mut a = container("a");
    a.next = Some(Box::new(AssignedTask::from(container("a")).into()));
    a.applied = Some(container("a").assignment);
    let running = Some(TaskStatus::new(TaskState::Running));
    let expected = [StoredTask::new(a, running), StoredTask::new(container("b"), None)];
    for _ in 0..2 {
        assert_eq!(all(&open_containers(&place.path()).unwrap()), expected);
    }
    let newer = "a newer agent has written this store: its definitions have version 3, and this agent reads up to 1; run the newer agent, or move the store away to begin without its tasks";
    is_refused(&place.path(), open::<String>, newer);
}

#[test]
fn only_new_migrations_are_applied() {
    let place = Place::with(&[record("a")]);
    let once = RedbStore::<Value>::options().with_migrations(&[NAMED]);
    let twice = RedbStore::<Value>::options().with_migrations(&[NAMED, WITH_ARGUMENTS]);
    let definition = |options: RedbOptions| {
        let store: RedbStore<Value> = block_on(options.open(place.path(), here)).unwrap();
        all(&store).remove(0).record.assignment.definition.clone()
    };
    assert_eq!(definition(once), json!({ "image": "the image of a" }));
    assert_eq!(definition(once), json!({ "image": "the image of a" }));
    assert_eq!(definition(twice), json!({ "image": "the image of a", "args": [] }));
    assert_eq!(definition(twice), json!({ "image": "the image of a", "args": [] }));
}

#[test]
fn a_newer_page_version_is_refused_as_newer_and_a_damaged_one_as_damaged() {
    let place = Place::with(&[record("a")]);
    let whole = fs::read(place.path()).unwrap();
    let with_versions = |first, second| {
        let mut bytes = whole.clone();
        (bytes[64], bytes[192]) = (first, second);
        fs::write(place.path(), &bytes).unwrap();
        let error = open::<String>(&place.path()).map(drop).unwrap_err();
        assert!(fs::read(place.path()).unwrap() == bytes);
        error
    };
    let newer = with_versions(9, 9);
    let is_newer = |error: &_| matches!(error, OpenStoreError::Newer { what: "pages", .. });
    assert!(is_newer(&newer), "{newer}");
    for (first, second) in [(9, 3), (2, 2)] {
        let other = with_versions(first, second);
        assert!(!is_newer(&other), "{other}");
    }
}

#[test]
fn a_store_that_is_dropped_writes_nothing_more() {
    let place = Place::new();
    let store = open::<String>(&place.path()).unwrap();
    block_on(store.commit(&[record("a")])).unwrap();
    let bytes = fs::read(place.path()).unwrap();
    assert!(format!("{store:?}").starts_with("RedbStore { path: "));
    drop(store);
    assert!(fs::read(place.path()).unwrap() == bytes);
}

#[test]
fn a_new_store_is_in_the_current_version() {
    let place = Place::new();
    drop(open_containers(&place.path()).unwrap());
    assert_eq!(all(&open_containers(&place.path()).unwrap()), []);
    assert!(matches!(open::<String>(&place.path()), Err(OpenStoreError::Newer { found: 3, .. })));
}

#[test]
fn the_error_of_a_failed_migration_names_the_task_and_nothing_is_changed() {
    let place = Place::new();
    let store = open::<Value>(&place.path()).unwrap();
    let task =
        |id: &str, image| StoreChange::Record(TaskRecord::new(Assignment::new(id, image)).into());
    block_on(store.commit(&[task("a", json!("alpine")), task("b", json!(7))])).unwrap();
    block_on(store.close()).unwrap();
    let failed =
        "task \"b\": the migration of its definitions from version 1 failed: 7 is no image";
    is_refused(&place.path(), open_containers, failed);
    let bytes = fs::read(place.path()).unwrap();
    let options =
        RedbStore::<Container>::options().with_migrations(&[|_| Ok(json!({ "image": 1 }))]);
    let damage = format!(
        "this store is damaged: task \"a\": its record: assignment.definition.image: invalid type: integer `1`, expected a string; {ADVICE}"
    );
    is_refused(&place.path(), |path| block_on(options.open::<Container>(path, here)), &damage);
    assert!(fs::read(place.path()).unwrap() == bytes);
}

#[test]
fn a_definition_that_cannot_be_deserialized_is_not_stored() {
    /// Infinity is `null` in JSON.
    #[derive(Debug, Serialize, Deserialize)]
    struct Share(f64);

    let place = Place::new();
    let store = open::<Share>(&place.path()).unwrap();
    let task = |id: &str, share| {
        StoreChange::Record(TaskRecord::new(Assignment::new(id, Share(share))).into())
    };
    let error = block_on(store.commit(&[task("a", 0.1), task("b", f64::INFINITY)])).unwrap_err();
    let start = "task \"b\": its record could not be read again from a store: assignment.definition: invalid type: null, expected f64";
    assert!(error.to_string().starts_with(start), "{error}");
    assert!(block_on(store.load()).unwrap().is_empty());
}

#[test]
fn work_that_is_dropped_is_an_error_and_not_a_hang() {
    let place = Place::new();
    let Err(error) = block_on(RedbStore::<String>::open(place.path(), drop)) else { panic!() };
    let dropped = format!(
        "{}: `offload` dropped the work on this store instead of running it; its runtime may be shutting down",
        place.path().display()
    );
    assert_eq!(error.to_string(), dropped);

    let works = Arc::new(Mutex::new(true));
    let does = Arc::clone(&works);
    let maybe = move |work: Work| {
        if *does.lock().unwrap() {
            work();
        }
    };
    let store = block_on(RedbStore::<String>::open(place.path(), maybe)).unwrap();
    *works.lock().unwrap() = false;
    let error = block_on(store.commit(&[record("a")])).unwrap_err();
    assert_eq!(error.to_string(), dropped);
    *works.lock().unwrap() = true;
    block_on(store.commit(&[record("b")])).unwrap();
    assert_eq!(ids(&store), ["b"]);
}

#[test]
fn a_dropped_commit_never_undoes_a_later_one() {
    let place = Place::with(&[record("a")]);
    let queue = Arc::new(Mutex::new(Vec::<Work>::new()));
    let later = Arc::clone(&queue);
    let opening =
        RedbStore::<String>::open(place.path(), move |work: Work| later.lock().unwrap().push(work));
    pin_mut!(opening);
    assert!(opening.as_mut().now_or_never().is_none());
    let run = || queue.lock().unwrap().pop().unwrap()();
    run();
    let store = block_on(opening).unwrap();

    let (old, new) = ([status("a", TaskState::Starting)], [status("a", TaskState::Running)]);
    assert!(store.commit(&old).now_or_never().is_none());
    let newer = store.commit(&new);
    pin_mut!(newer);
    assert!(newer.as_mut().now_or_never().is_none());
    // The last one runs first.
    run();
    block_on(newer).unwrap();
    run();
    let load = store.load();
    pin_mut!(load);
    assert!(load.as_mut().now_or_never().is_none());
    run();
    let tasks = block_on(load).unwrap();
    assert_eq!(tasks[0].status, Some(TaskStatus::new(TaskState::Running).into()));
}

#[test]
fn opening_and_committing_may_go_to_another_thread() {
    fn may_go<T: Send>(_: &T) {}
    may_go(&RedbStore::<String>::open("tasks", here));
    let place = Place::with(&[]);
    let store = open::<String>(&place.path()).unwrap();
    may_go(&store.commit(&[]));
    may_go(&store.close());
}

#[test]
fn many_threads_can_commit_at_once() {
    let place = Place::new();
    let elsewhere = |work: Work| drop(std::thread::spawn(work));
    let store = block_on(RedbStore::<String>::open(place.path(), elsewhere)).unwrap();
    let tasks: Vec<_> = (0..16).map(|n| [record(&format!("task-{n:02}"))]).collect();
    let commits = join_all(tasks.iter().map(|changes| store.commit(changes)));
    assert!(block_on(commits).iter().all(Result::is_ok));
    assert_eq!(ids(&store).len(), 16);
    drop(store);
    // After the last answer, the file is closed.
    assert_eq!(ids(&open(&place.path()).unwrap()).len(), 16);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let place = Place::new();
    let name = "a_full_disk_is_an_error_until_there_is_room";
    let Some(disk) = Disk::mount(place.0.path(), name) else { return };
    let path = disk.0.join("tasks");
    let store = open::<String>(&path).unwrap();
    block_on(store.commit(&[record("before")])).unwrap();
    disk.fill();
    let large = |id: &str| {
        StoreChange::Record(TaskRecord::new(Assignment::new(id, "x".repeat(2 << 20))).into())
    };
    let full = |error: StoreError| {
        let expected =
            format!("{}: No space left on device (os error 28); make room there", path.display());
        assert_eq!(error.to_string(), expected);
    };
    for _ in 0..2 {
        full(block_on(store.commit(&[large("large")])).unwrap_err());
    }
    // The file stays locked in between.
    is_refused(&path, open::<String>, IN_USE);
    disk.clear();
    block_on(store.commit(&[record("after")])).unwrap();
    assert_eq!(ids(&store), ["after", "before"]);
    block_on(store.commit(&[large("large")])).unwrap();
    drop(store);
    assert_eq!(ids(&open(&path).unwrap()), ["after", "before", "large"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_that_could_not_be_created_on_a_full_disk_can_be_created_later() {
    let place = Place::new();
    let name = "a_store_that_could_not_be_created_on_a_full_disk_can_be_created_later";
    let Some(disk) = Disk::mount(place.0.path(), name) else { return };
    let path = disk.0.join("tasks");
    disk.fill();
    let Err(error) = open::<String>(&path) else { panic!() };
    assert!(matches!(error, OpenStoreError::Full { .. }), "{error:?}");
    disk.clear();
    assert_eq!(ids(&open(&path).unwrap()), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_store_is_refused() {
    let place = Place::new();
    let Some(disk) = Disk::mount(place.0.path(), "a_read_only_store_is_refused") else { return };
    let path = disk.0.join("tasks");
    drop(open::<String>(&path).unwrap());
    disk.protect();
    let read_only = "this store cannot be read and written: Read-only file system (os error 30); give this user both permissions, on a file system that is not read-only";
    is_refused(&path, open::<String>, read_only);
    is_refused(&disk.0.join("new"), open::<String>, read_only);
}

#[cfg(unix)]
#[test]
fn a_store_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with(&[record("a")]);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o400)).unwrap();
    if fs::OpenOptions::new().write(true).open(place.path()).is_ok() {
        // Root ignores permissions.
        assert_eq!(ids(&open(&place.path()).unwrap()), ["a"]);
        return;
    }
    let denied = "this store cannot be read and written: Permission denied (os error 13); give this user both permissions, on a file system that is not read-only";
    is_refused(&place.path(), open::<String>, denied);
}
