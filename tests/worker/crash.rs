//! Crashes and restarts of an agent at every possible point.
//!
//! `ONWARD_CRASHES=100000 cargo test --release --test worker` plays that many lives with two
//! crashes each. By default it plays a few. It always plays all lives with one crash.

use super::agent::{Agent, stopped, task};
use super::world::{Script, Told, World};
use futures::future::{Either, select};
use onward::agent::store::StoredTask;
use onward::agent::worker::RefusedTask;
use onward::agent::{AssignedTask, Store, WorkerHandle};
use onward::lifecycle::TaskState;
use onward::testing::Turn;
use std::collections::BTreeMap;
use std::env;
use std::pin::pin;
use std::time::Duration;

type Set = Vec<AssignedTask<Script>>;

/// A message at a time.
struct Step {
    /// In milliseconds.
    at: u64,
    /// Sent first, once. If it fails, it is not sent again.
    whims: Vec<Set>,
    /// Sent until it is accepted.
    set: Set,
}

impl Step {
    fn new(at: u64, set: Set) -> Self {
        Self { at, whims: Vec::new(), set }
    }
}

fn stubborn() -> Script {
    Script { obeys: false, ..Script::service() }
}

fn labelled(label: u32) -> Script {
    Script { label, ..Script::service() }
}

fn unknown() -> Script {
    Script { known: false, ..Script::service() }
}

/// The first set of tasks.
fn first() -> Set {
    vec![
        task("again", Script::service()),
        task("both", stubborn()),
        task("done", Script::job(50, 0)),
        task("fickle", Script::service()),
        task("flaky", Script { tries: 2, ..Script::job(100, 0) }),
        task("fussy", labelled(0)),
        task("label", labelled(0)),
        task("stubborn", stubborn()),
        task("unknown", unknown()),
        task("web", Script::service()),
        task("wrong", Script::job(50, 3)),
    ]
}

/// The same set with these tasks replaced, and without the last ids.
fn but(mut set: Set, changed: Set, gone: &[&str]) -> Set {
    for task in changed {
        set.retain(|other| other.assignment.id != task.assignment.id);
        set.push(task);
    }
    set.retain(|task| !gone.contains(&&*task.assignment.id));
    set
}

/// Everything that can be wanted of tasks, with seconds in between, so that a
/// crash changes nothing about which comes first.
fn life() -> Vec<Step> {
    let begun = first();
    // Another definition and another desired state at once, for a workload that ignores `shutdown`.
    let both = stopped("both", Script { label: 1, ..unknown() });
    let changed = vec![
        both,
        task("fussy", labelled(1)),
        task("label", labelled(1)),
        stopped("stubborn", stubborn()),
    ];
    let second = but(begun.clone(), changed, &["again"]);
    // A definition that is refused, after one that may have been accepted.
    let refused =
        vec![task("again", Script::job(1, 5)), task("fussy", Script { label: 2, ..unknown() })];
    let third = but(second.clone(), refused, &[]);
    let whims = vec![
        but(begun.clone(), vec![task("whim", Script::service())], &[]),
        but(begun.clone(), vec![stopped("fickle", Script::service())], &["web"]),
    ];
    vec![
        Step::new(0, begun.clone()),
        Step { at: 4_000, whims, set: begun },
        Step::new(8_000, second),
        Step::new(8_002, third),
        Step::new(240_000, Vec::new()),
    ]
}

/// Sends the messages to the worker, each until it is accepted.
async fn manage(handle: WorkerHandle<Script>, world: World, life: Vec<Step>) {
    let sleep = |millis| world.time.sleep_until(Duration::from_millis(millis), Turn::Script);
    let millis = || u64::try_from(world.time.now().as_millis()).unwrap();
    let now = millis();
    let past = life.iter().filter(|step| step.at <= now).count().saturating_sub(1);
    for Step { at, whims, set } in life.into_iter().skip(past) {
        if at > now {
            sleep(at).await;
        }
        for whim in whims {
            if let Ok(refused) = handle.assign(whim.clone()).await {
                check_stored(&world, &whim, &refused);
            }
        }
        let mut tries = 0;
        loop {
            match handle.assign(set.clone()).await {
                Ok(refused) => break check_stored(&world, &set, &refused),
                Err(error) => {
                    tries += 1;
                    assert!(tries < 100, "{error}");
                    sleep(millis() + 100).await;
                }
            }
        }
    }
    sleep(400_000).await;
}

/// Checks that an accepted set is stored: its tasks are stored, and all others are being removed.
fn check_stored(world: &World, set: &Set, refused: &[RefusedTask]) {
    let stored = futures::executor::block_on(world.store.load()).unwrap();
    for StoredTask { record, .. } in &stored {
        let wanted = set.iter().find(|task| *task.assignment.id == *record.id());
        if refused.iter().any(|task| task.id == record.id()) {
            continue;
        }
        let is_stored = match (wanted, &record.next) {
            (None, next) => record.removing && next.is_none(),
            (Some(task), _) if !record.removing => record.assignment == task.assignment,
            (Some(task), next) => {
                next.as_ref().is_some_and(|next| next.assignment == task.assignment)
            }
        };
        if !is_stored {
            world.complain(format!("{}: {wanted:?} was taken, stored: {record:?}", record.id()));
        }
    }
    for task in set {
        let id = &task.assignment.id;
        let is_refused = refused.iter().any(|task| *task.id == **id);
        if !is_refused && !stored.iter().any(|stored| stored.record.id() == &**id) {
            world.complain(format!("{id} was taken, and is not stored"));
        }
    }
}

/// Updates that controllers have accepted and that are not stored are lost with the agent.
fn tear(world: &World) {
    let applied = |id| world.stored(id).and_then(|task| task.record.applied.clone());
    for (id, workload) in &mut world.lock().workloads {
        let is_stored = applied(id).is_some_and(|it| it.definition.label == workload.label);
        workload.is_torn |= !is_stored;
    }
}

/// Long after the last change, the definition of each controller is stored.
fn check_applied(world: &World) {
    let workloads = world.lock().workloads.clone();
    for (id, workload) in workloads {
        let Some(stored) = world.stored(&id) else { continue };
        let applied = stored.record.applied.as_ref().map(|applied| applied.definition.label);
        let is_torn = workload.is_torn && applied == Some(workload.label_before);
        if workload.prepared && applied != Some(workload.label) && !is_torn {
            world
                .complain(format!("{id}: stored as applied: {applied:?}, and it has {workload:?}"));
        }
    }
}

/// The result of a life: the final states and exit codes, and the number of possible crashes.
struct End {
    ends: BTreeMap<String, (TaskState, i32)>,
    label: Option<u32>,
    points: u32,
}

/// Plays a life with crashes at these points, each counted from the one before, and with a failure
/// of one in this many commits.
fn play(crashes: &[u32], failing: Option<u64>, seed: u64) -> Result<End, String> {
    let (world, told) = (World::new(), Told::default());
    world.lock().workloads.insert("orphan".into(), super::world::Workload::default());
    world.crash_in_store(failing.map(|one_of| (one_of, seed)));
    let mut crashes = crashes.iter();
    let mut label = None;
    loop {
        {
            let mut inner = world.lock();
            (inner.points, inner.crashed, inner.crash_at) = (0, false, crashes.next().copied());
        }
        let agent = Agent::start(&world, &told, seed);
        // If no status is stored, the task was removed, or another one of its id has started.
        let begins_anew = |id: &String| world.stored(id).is_none_or(|task| task.status.is_none());
        told.all().into_keys().filter(begins_anew).for_each(|id| told.forget(&id));
        let managed = pin!(manage(agent.handle.clone(), world.clone(), life()));
        let looked = pin!(async {
            if label.is_none() {
                world.time.sleep_until(Duration::from_secs(200), Turn::Script).await;
                check_applied(&world);
                label = world.lock().workloads.get("label").map(|workload| workload.label);
            }
            std::future::pending::<()>().await;
        });
        let crash = pin!(world.crash());
        let ended = agent.pool.run_until(select(select(managed, looked), crash));
        let crashed = world.lock().crashed;
        agent.pool.crash();
        tear(&world);
        match ended {
            Some(Either::Right(_)) => {}
            Some(Either::Left(_)) if !crashed => break,
            _ if crashed => {}
            _ => return Err("it stands still".into()),
        }
    }
    let mut inner = world.lock();
    let mut complaints = std::mem::take(&mut inner.complaints);
    if !inner.workloads.is_empty() {
        complaints.push(format!("left: {:?}", inner.workloads));
    }
    let points = inner.points;
    drop(inner);
    let stored = futures::executor::block_on(world.store.load()).unwrap();
    if !stored.is_empty() {
        complaints.push(format!("still stored: {stored:?}"));
    }
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let end = |(id, status): (String, onward::lifecycle::TaskStatus)| {
        let exit_code = status.container_status.and_then(|container| container.exit_code);
        (id, (status.state, exit_code.unwrap_or(0)))
    };
    let mut ends: BTreeMap<_, _> = told.last().into_iter().map(end).collect();
    // These depend on which messages were accepted.
    ends.retain(|id, _| !["fickle", "whim"].contains(&id.as_str()));
    Ok(End { ends, label, points })
}

/// The expected result of every life, with any number of crashes.
fn expected() -> BTreeMap<String, (TaskState, i32)> {
    let end = |(id, state, code): (&str, TaskState, i32)| (String::from(id), (state, code));
    [
        ("again", TaskState::Failed, 5),
        ("both", TaskState::Shutdown, 137),
        ("done", TaskState::Complete, 0),
        ("flaky", TaskState::Complete, 0),
        ("fussy", TaskState::Running, 0),
        ("label", TaskState::Running, 0),
        ("stubborn", TaskState::Shutdown, 137),
        ("unknown", TaskState::Rejected, 0),
        ("web", TaskState::Running, 0),
        ("wrong", TaskState::Failed, 3),
    ]
    .map(end)
    .into()
}

fn check(crashes: &[u32], seed: u64) -> u32 {
    check_failing(crashes, None, seed)
}

fn check_failing(crashes: &[u32], failing: Option<u64>, seed: u64) -> u32 {
    let end = play(crashes, failing, seed);
    let end = end.unwrap_or_else(|why| panic!("crashes {crashes:?}, seed {seed}: {why}"));
    assert_eq!(end.ends, expected(), "crashes {crashes:?}, seed {seed}");
    assert_eq!(end.label, Some(1), "crashes {crashes:?}, seed {seed}");
    end.points
}

#[test]
fn tasks_end_the_same_after_a_crash_at_any_commit() {
    for seed in 0..2 {
        let points = check(&[], seed);
        assert!(points > 100, "{points}");
        for point in 1..=points {
            check(&[point], seed);
        }
    }
}

#[test]
fn tasks_end_the_same_after_two_crashes_at_any_commits() {
    let lives = env::var("ONWARD_CRASHES").map_or(300, |lives| lives.parse().unwrap());
    let points = check(&[], 0);
    for life in 0..lives {
        // Every first crash, with second crashes spread over all points.
        let (first, second) = (life * 7 % points + 1, life * 31 % (points / 2) + 1);
        check(&[first, second], u64::from(life));
    }
}

#[test]
fn tasks_end_the_same_after_failed_commits_and_a_crash() {
    for seed in 0..100 {
        let one_of = seed % 4 + 2;
        check_failing(&[], Some(one_of), seed);
        let crash = u32::try_from(seed).unwrap() * 13 % 100 + 1;
        check_failing(&[crash], Some(one_of), seed);
    }
}
