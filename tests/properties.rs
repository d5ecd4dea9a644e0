//! Properties that hold for every sequence of events, statuses and calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

#[path = "support/hands_out.rs"]
mod hands_out;

use futures::FutureExt;
use futures::future::join;
use hands_out::driver_of;
use onward::exec::{ControllerError, Outcome, step};
use onward::lifecycle::{AnyTask, EDGES, TaskState, TaskStatus};
use onward::testing::strategy::{
    controller_error, event, illegal_move, path, scenario, script, task_state, task_status,
    timestamp,
};
use onward::testing::{
    Behavior, Call, CallEvent, Script, ScriptedController, TraceEntry, VirtualPool, VirtualTime,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use time::UtcDateTime;

/// A status without its timestamp.
fn timeless(task: &AnyTask) -> TaskStatus {
    let mut status = task.status();
    status.timestamp = None;
    status
}

proptest! {
    #[test]
    fn no_event_lowers_the_state_and_only_events_without_an_edge_are_refused(
        status in task_status(),
        events in vec((event(), timestamp()), 1..40),
    ) {
        let mut task = AnyTask::resume(status);
        for (event, at) in events {
            let before = task.status();
            let leads_to = event.kind().leads_to(before.state);
            match task.advance(event, at) {
                Ok(()) => {
                    prop_assert!(task.state() >= before.state);
                    if task.state() != before.state {
                        let edge = (before.state, task.state());
                        prop_assert!(EDGES.iter().any(|row| (row.from, row.to) == edge));
                        prop_assert_eq!(leads_to, Some(task.state()));
                    }
                }
                Err(refused) => {
                    prop_assert_eq!(refused.from, before.state);
                    prop_assert!(leads_to.is_none_or(|to| !before.state.can_become(to)));
                    prop_assert_eq!(task.status(), before);
                }
            }
        }
    }

    #[test]
    fn the_timestamp_changes_if_and_only_if_another_field_changes(
        status in task_status(),
        event in event(),
        at in timestamp(),
    ) {
        prop_assume!(status.timestamp != Some(at));
        let mut task = AnyTask::resume(status.clone());
        let before = timeless(&task);
        _ = task.advance(event, at);
        let changed = timeless(&task) != before;
        prop_assert_eq!(task.timestamp(), if changed { Some(at) } else { status.timestamp });
    }

    #[test]
    fn a_status_survives_its_json_except_for_an_exit_code_of_0(status in task_status()) {
        let json = serde_json::to_string(&status).unwrap();
        let mut expected = status.clone();
        if let Some(container) = &mut expected.container_status {
            // The API writes 0 for an unknown exit code too.
            let known = container.exit_code.filter(|code| *code != 0);
            container.exit_code = known.or((status.state == TaskState::Complete).then_some(0));
        }
        expected.container_status = expected.container_status.filter(|container| !container.is_empty());
        prop_assert_eq!(&serde_json::from_str::<TaskStatus>(&json).unwrap(), &expected);
        prop_assert_eq!(AnyTask::resume(status.clone()).status(), status);
    }

    #[test]
    fn reports_in_any_order_never_lower_the_state(
        here in task_status(),
        reports in vec(task_status(), 1..20),
    ) {
        let mut task = AnyTask::resume(here);
        for reported in reports {
            let before = task.state();
            _ = task.observe(&reported);
            prop_assert!(task.state() >= before);
            prop_assert!(!before.is_terminal() || task.state() == before);
        }
    }

    #[test]
    fn reading_a_status_from_any_bytes_does_not_panic(bytes in vec(any::<u8>(), 0..200)) {
        _ = serde_json::from_slice::<TaskStatus>(&bytes);
    }

    #[test]
    fn every_prefix_of_a_status_is_refused(status in task_status(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::to_vec(&status).unwrap();
        let half = &json[..cut.index(json.len())];
        prop_assert!(serde_json::from_slice::<TaskStatus>(half).is_err());
    }

    #[test]
    fn a_step_keeps_its_promises_for_every_result_of_the_controller(
        status in task_status(),
        answers in vec((task_state(), answer(), answer()), 1..30),
    ) {
        let mut task = AnyTask::resume(status);
        for (desired, operation, inquiry) in answers {
            let before = task.state();
            let is_bad = operation.is_some();
            let mut controller = controller(operation, inquiry);
            let clock = || UtcDateTime::UNIX_EPOCH;
            let outcome = step(&mut task, desired, &mut controller, &clock).now_or_never().unwrap();
            let calls = controller.trace().calls();
            let calls = calls.into_iter().filter(|call| *call != Call::Inspect).count();
            prop_assert!(calls <= 1);
            prop_assert!(task.state() >= before);
            prop_assert!(!before.is_terminal() || calls == 0);
            match outcome {
                Outcome::Advanced => prop_assert!(before.can_become(task.state())),
                Outcome::Dead => prop_assert!(before.is_terminal()),
                Outcome::Noop => prop_assert!(!before.is_terminal() && calls == 0),
                Outcome::Retry => prop_assert!(is_bad),
            }
        }
    }

    #[test]
    fn generated_paths_are_in_the_table_and_illegal_moves_are_not(
        path in path(),
        (status, event) in illegal_move(),
    ) {
        prop_assert_eq!(path[0], TaskState::New);
        prop_assert!(path.windows(2).all(|edge| edge[0].can_become(edge[1])));
        let mut task = AnyTask::resume(status.clone());
        prop_assert!(task.advance(event, UtcDateTime::UNIX_EPOCH).is_err());
        prop_assert_eq!(task.status(), status);
    }

    #[test]
    fn a_driver_ends_for_every_scenario_and_every_script(
        scenario in scenario(0..3_u64),
        script in script(),
        seed in any::<u64>(),
    ) {
        let pool = VirtualPool::new(VirtualTime::new(), seed);
        let time = pool.time();
        let controller = ScriptedController::new(script).with_time(time.clone());
        let trace = controller.trace().clone();
        let told = Arc::new(Mutex::new(vec![TaskState::Assigned]));
        let sink = {
            let told = told.clone();
            move |_: &str, status: TaskStatus| told.lock().unwrap().push(status.state)
        };
        let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
        let assignment = scenario.assignment.clone();
        let (driver, handle) = driver_of(task, assignment, controller, pool.clone());
        let mut driver = driver.with_sink(sink);
        let done = pool.run_until(join(driver.run(), scenario.send(&handle, &pool)));
        prop_assert!(done.is_some());

        prop_assert!(told.lock().unwrap().is_sorted());
        let entries = trace.entries();
        // Each call has ended before the next one begins, and `close` is the last.
        let begun = |entry: &TraceEntry| entry.event == CallEvent::Begun;
        prop_assert!(entries.chunks(2).all(|call| begun(&call[0]) && !begun(&call[1])));
        prop_assert_eq!(trace.last_call(), Some(Call::Close));
    }
}

/// An error or none.
fn answer() -> impl Strategy<Value = Option<ControllerError>> {
    option::of(controller_error())
}

/// A controller whose operations and inspections all return this.
fn controller(
    operation: Option<ControllerError>,
    inquiry: Option<ControllerError>,
) -> ScriptedController {
    let behavior = |answer: Option<_>| answer.map_or_else(Behavior::succeeds, Behavior::fails);
    let operation = behavior(operation);
    let script = Script::new().with(Call::Inspect, [behavior(inquiry)]);
    let operations = [Call::Prepare, Call::Start, Call::Wait, Call::Shutdown];
    ScriptedController::new(
        operations.into_iter().fold(script, |script, call| script.with(call, [operation.clone()])),
    )
}
