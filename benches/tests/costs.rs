//! Costs in bytes, allocations and instructions, but not in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use allocation_counter::measure;
use futures::FutureExt;
use futures::future::BoxFuture;
use onward::agent::{Driver, DriverHandle, Runtime};
use onward::exec::step;
use onward::testing::{NoopController, VirtualPool, VirtualTime};
use onward::{AnyTask, Assignment, Controller, Event, Outcome, Task, TaskState, TaskStatus, state};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Waker};
use time::UtcDateTime;

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

fn assigned() -> AnyTask {
    AnyTask::resume(TaskStatus::new(TaskState::Assigned))
}

/// Steps from ASSIGNED to COMPLETE, and once more.
fn live(task: &mut AnyTask, controller: &mut impl Controller) {
    let mut last = Outcome::Advanced;
    for _ in 0..7 {
        last = step(task, TaskState::Running, controller, &CLOCK).now_or_never().unwrap();
    }
    assert_eq!((last, task.state()), (Outcome::Dead, TaskState::Complete));
}

#[test]
fn a_life_of_successful_steps_allocates_nothing() {
    let mut task = assigned();
    let allocations = measure(|| live(&mut task, &mut NoopController::Ends));
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_boxed_controller_allocates_at_most_once_a_call() {
    let mut task = assigned();
    // Boxing twice does not allocate twice.
    let mut controller = NoopController::Ends.boxed().boxed();
    let allocations = measure(|| live(&mut task, &mut controller));
    // prepare, start and wait, and an inspection after each of the last four steps.
    assert!(allocations.count_total <= 7, "{}", allocations.count_total);
}

#[test]
fn a_refused_event_allocates_nothing() {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Running));
    let allocations = measure(|| {
        task.advance(Event::Prepared, CLOCK()).unwrap_err();
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_new_task_allocates_its_record_at_its_first_move() {
    let mut task = AnyTask::from(Task::new());
    let allocations = measure(|| {
        for event in [Event::Accepted, Event::Preparing, Event::Prepared, Event::Starting] {
            task.advance(event, CLOCK()).unwrap();
        }
    });
    assert_eq!(allocations.count_total, 1);
}

#[test]
fn moved_types_are_small() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Task<state::Running>>(), word);
    assert_eq!([size_of::<AnyTask>(), size_of::<Event>()], [2 * word; 2]);
}

/// A task in RUNNING, with an id of realistic length.
fn running(runtime: &Arc<dyn Runtime>) -> (BoxFuture<'static, ()>, DriverHandle<()>) {
    let assignment = Assignment::new("0123456789abcdefghijklmno", ());
    let mut driver = Driver::new(assigned(), assignment, NoopController::Runs, Arc::clone(runtime));
    let handle = driver.handle();
    let mut run = async move { _ = driver.run().await }.boxed();
    assert!(run.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(handle.status().state, TaskState::Running);
    (run, handle)
}

/// Returns the heap memory of each of this many running tasks.
fn heap(tasks: usize) -> usize {
    let runtime: Arc<dyn Runtime> = Arc::new(VirtualPool::new(VirtualTime::new(), 0));
    let mut all = Vec::with_capacity(tasks);
    let heap = measure(|| (0..tasks).for_each(|_| all.push(running(&runtime))));
    usize::try_from(heap.bytes_current).unwrap() / tasks
}

#[test]
fn a_running_task_has_at_most_nine_hundred_bytes_on_the_heap() {
    let each = heap(1_000);
    println!("{each} bytes");
    assert!(each <= 900, "{each} bytes");
}

#[test]
fn the_memory_of_a_task_does_not_grow_with_the_number_of_tasks() {
    assert_eq!(heap(100_000), heap(1_000));
}

/// Returns the instructions of each workload, counted by callgrind in a release build.
fn instructions() -> BTreeMap<String, f64> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "-p", "benches", "--", "counts"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let counts = text.lines().filter_map(|line| line.split_once('\t'));
    counts.map(|(count, name)| (name.to_owned(), count.parse().unwrap())).collect()
}

#[test]
#[ignore = "it builds the benches in release, which takes minutes"]
fn instruction_counts_stay_within_their_limits() {
    let counts = instructions();
    if counts.is_empty() {
        // The output of `eprintln` is shown only for failed tests.
        let why =
            "skipped: instruction_counts_stay_within_their_limits (no valgrind to count them)\n";
        return io::stderr().write_all(why.as_bytes()).unwrap();
    }
    println!("{counts:#?}");
    // The limits are ten percent above the counts, because compilers differ.
    let most = [
        ("onward, typed", 32.0),
        ("onward, `apply`", 74.0),
        ("onward, `advance`", 72.0),
        ("onward, refused", 62.0),
        ("`decide`", counts["a `match` by hand"]),
        ("six steps and the noop, without the clock", 1_505.0),
        ("the same, boxed", 3_770.0),
    ];
    for (name, most) in most {
        assert!(counts[name] <= most, "{name}: {} instructions, at most {most}", counts[name]);
    }
    // A transition takes no more instructions than a plain `match` with the same writes, each
    // without its call.
    let plain = counts["plain `match`"] - counts["a call that does nothing"];
    for name in ["onward, `apply`", "onward, `advance`"] {
        let move_alone = counts[name] - counts["a call of `advance` that does nothing"];
        assert!(move_alone <= plain, "{name}: {move_alone} instructions, a `match` {plain}");
    }
}
