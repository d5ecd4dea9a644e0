//! Scripted controllers, executors and connections follow their scripts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use futures::FutureExt;
use futures::executor::block_on;
use onward::agent::{Reporter, StatusSink};
use onward::exec::{Assignment, Controller, ControllerError, Executor, Inspected, Inspection};
use onward::lifecycle::{PortStatus, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, NoopController, Reply, Script, ScriptedController, ScriptedExecutor,
    ScriptedReporter, VirtualPool, VirtualTime,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

fn scripted(call: Call, behaviors: impl IntoIterator<Item = Behavior>) -> ScriptedController {
    ScriptedController::new(Script::new().with(call, behaviors))
}

/// The trace, one entry a line.
fn lines(controller: &ScriptedController) -> Vec<String> {
    controller.trace().entries().iter().map(ToString::to_string).collect()
}

#[test]
fn the_last_behavior_of_an_operation_repeats() {
    let busy = Behavior::fails(ControllerError::new("busy").temporary());
    let mut controller = scripted(Call::Prepare, [busy, Behavior::succeeds()]);
    block_on(async {
        assert!(controller.prepare().await.unwrap_err().is_temporary());
        controller.prepare().await.unwrap();
        controller.prepare().await.unwrap();
    });
    let begun = "0ns prepare begun";
    let (failed, succeeded) = ("0ns prepare failed: busy", "0ns prepare succeeded");
    assert_eq!(lines(&controller), [begun, failed, begun, succeeded, begun, succeeded]);
}

#[test]
fn a_delayed_call_takes_virtual_time_and_a_dropped_call_is_recorded() {
    let pool = VirtualPool::new(VirtualTime::new(), 0);
    let takes = Behavior::succeeds().after(Duration::from_secs(2));
    let mut controller =
        scripted(Call::Start, [takes, Behavior::hangs()]).with_time(pool.time().clone());
    pool.run_until(controller.start()).unwrap().unwrap();
    assert!(pool.run_until(controller.start()).is_none());
    assert_eq!(
        lines(&controller),
        ["0ns start begun", "2s start succeeded", "2s start begun", "2s start dropped"]
    );
}

#[test]
fn a_call_takes_the_given_number_of_polls_and_is_recorded_at_its_first_poll() {
    let mut controller = scripted(Call::Wait, [Behavior::succeeds().after_polls(2)]);
    drop(controller.wait());
    assert_eq!(controller.trace().calls(), []);
    for _ in 0..2 {
        assert!(controller.wait().now_or_never().is_none());
    }
    block_on(controller.wait()).unwrap();
}

#[test]
fn a_panic_has_its_text_and_is_recorded() {
    let mut controller = scripted(Call::Remove, [Behavior::panics("out of cheese")]);
    let caught = catch_unwind(AssertUnwindSafe(|| controller.remove().now_or_never()));
    assert_eq!(caught.unwrap_err().downcast_ref::<String>().unwrap(), "out of cheese");
    assert_eq!(lines(&controller), ["0ns remove begun", "0ns remove panicked: out of cheese"]);
}

#[test]
fn an_inspection_returns_its_value_and_an_error_fails_both_parts() {
    let ports = Inspection::default().with_port_status(PortStatus::default());
    let mut controller =
        scripted(Call::Inspect, [Behavior::returns(ports), Behavior::fails("gone")]);
    let inspection = block_on(controller.inspect());
    assert!(matches!(inspection.container_status, Inspected::Unchanged));
    assert!(matches!(inspection.port_status, Inspected::Known(ports) if ports.is_empty()));
    let inspection = block_on(controller.inspect());
    assert!(matches!(inspection.container_status, Inspected::Failed(_)));
    assert!(matches!(inspection.port_status, Inspected::Failed(_)));
}

#[test]
fn a_noop_controller_completes_or_runs() {
    block_on(NoopController::Ends.wait()).unwrap();
    assert!(NoopController::Runs.wait().now_or_never().is_none());
}

#[test]
fn an_executor_counts_calls_for_each_task_and_lists_a_task_until_it_is_reconciled() {
    let not_now = || Behavior::fails(ControllerError::new("not now").temporary());
    let executor = ScriptedExecutor::new(move |_: &Assignment<()>| {
        Script::new().with(Call::Controller, [not_now(), Behavior::succeeds()])
    });
    block_on(async {
        for id in ["a", "b"] {
            let assignment = Assignment::new(id, ());
            executor.controller(&assignment).await.unwrap_err();
            executor.controller(&assignment).await.unwrap();
        }
        executor.leave("c");
        assert_eq!(executor.list().await.unwrap(), ["c"]);
        executor.clone().reconcile("c").await.unwrap();
        assert!(executor.list().await.unwrap().is_empty());
    });
    let trace = executor.trace().to_string();
    assert_eq!(trace.lines().last(), Some("c 0ns reconcile succeeded"));
    assert_eq!(trace.matches("b 0ns controller").count(), 4);
    executor.trace().clear();
    assert_eq!(executor.trace().calls(), []);
}

#[test]
fn a_connection_that_hangs_or_refuses_delivers_nothing() {
    let pool = VirtualPool::new(VirtualTime::new(), 0);
    let upstream = ScriptedReporter::new(pool.time().clone());
    let mut reporter = Reporter::new(upstream.clone(), Arc::new(pool.clone()));
    reporter.handle().changed("a", TaskStatus::new(TaskState::Ready));
    upstream.reply([Reply::Refused, Reply::Hangs]);
    assert!(pool.run_until(reporter.run()).is_none());
    assert_eq!(upstream.take_calls().len(), 2);
    assert_eq!(upstream.take_arrived(), []);
    // Its future was dropped with the run, so it is called again.
    assert!(pool.run_until(reporter.run()).is_none());
    assert_eq!(upstream.take_arrived().len(), 1);
}
