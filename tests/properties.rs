//! What holds whatever happens, in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

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

/// A status without its time.
fn timeless(task: &AnyTask) -> TaskStatus {
    let mut status = task.status();
    status.timestamp = None;
    status
}

proptest! {
    #[test]
    fn whatever_happens_the_number_never_falls_and_what_is_refused_has_no_edge(
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
    fn the_time_is_renewed_exactly_when_anything_else_has_changed(
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
    fn a_status_survives_its_json_but_for_an_exit_code_of_0_and_its_task(status in task_status()) {
        let json = serde_json::to_string(&status).unwrap();
        let mut expected = status.clone();
        if let Some(container) = &mut expected.container_status {
            // The API prints 0 for an exit code that is not known, too.
            let known = container.exit_code.filter(|code| *code != 0);
            container.exit_code = known.or((status.state == TaskState::Complete).then_some(0));
        }
        expected.container_status = expected.container_status.filter(|container| !container.is_empty());
        prop_assert_eq!(&serde_json::from_str::<TaskStatus>(&json).unwrap(), &expected);
        prop_assert_eq!(AnyTask::resume(status.clone()).status(), status);
    }

    #[test]
    fn reports_in_any_order_never_take_a_task_back(
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
    fn no_bytes_make_the_reading_of_a_status_panic(bytes in vec(any::<u8>(), 0..200)) {
        _ = serde_json::from_slice::<TaskStatus>(&bytes);
    }

    #[test]
    fn every_prefix_of_a_status_is_refused(status in task_status(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::to_vec(&status).unwrap();
        let half = &json[..cut.index(json.len())];
        prop_assert!(serde_json::from_slice::<TaskStatus>(half).is_err());
    }

    #[test]
    fn whatever_a_controller_answers_a_step_keeps_the_promises(
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
    fn every_path_is_one_of_the_table_and_no_illegal_move_is(
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
    fn whatever_is_wanted_and_whatever_the_controller_does_a_driver_comes_to_its_end(
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
        let done = pool.run_until(join(driver.run(), scenario.act(&handle, &pool)));
        prop_assert!(done.is_some());

        prop_assert!(told.lock().unwrap().is_sorted());
        let entries = trace.entries();
        // Each call is over before the next one begins, and `close` is the last.
        let begun = |entry: &TraceEntry| entry.event == CallEvent::Begun;
        prop_assert!(entries.chunks(2).all(|call| begun(&call[0]) && !begun(&call[1])));
        prop_assert_eq!(trace.last_call(), Some(Call::Close));
    }
}

/// An error, or none.
fn answer() -> impl Strategy<Value = Option<ControllerError>> {
    option::of(controller_error())
}

/// Answers every operation like this, and every inquiry.
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
