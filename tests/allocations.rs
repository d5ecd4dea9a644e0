//! What a step allocates: nothing of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use allocation_counter::measure;
use futures::FutureExt;
use onward::exec::{Controller, Outcome, step};
use onward::lifecycle::{AnyTask, Event, TaskState, TaskStatus};
use onward::testing::NoopController;
use time::UtcDateTime;

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

/// From ASSIGNED to COMPLETE, and the noop after it.
fn live(task: &mut AnyTask, controller: &mut impl Controller) {
    let mut last = Outcome::Advanced;
    for _ in 0..7 {
        last = step(task, TaskState::Running, controller, &CLOCK).now_or_never().unwrap();
    }
    assert_eq!((last, task.state()), (Outcome::Dead, TaskState::Complete));
}

#[test]
fn a_life_of_successful_steps_allocates_nothing() {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let allocations = measure(|| live(&mut task, &mut NoopController::Ends));
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_boxed_controller_allocates_at_most_once_a_call() {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    // Once more does not make it two.
    let mut controller = NoopController::Ends.boxed().boxed();
    let allocations = measure(|| live(&mut task, &mut controller));
    // prepare, start and wait, and an inquiry after each of the last four steps.
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
    let mut task = AnyTask::from(onward::Task::new());
    let allocations = measure(|| {
        for event in [Event::Accepted, Event::Preparing, Event::Prepared, Event::Starting] {
            task.advance(event, CLOCK()).unwrap();
        }
    });
    assert_eq!(allocations.count_total, 1);
}
