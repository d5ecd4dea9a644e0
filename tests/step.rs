//! `step` and `resolve`: which operations they call, what they record, and the task after a
//! dropped future.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use futures::FutureExt;
use futures::executor::block_on;
use onward::exec::{
    Assignment, BoxController, Controller, ControllerError, Inspected, Inspection, Outcome,
    ProgressReporter, WallClock, perform, resolve, step,
};
use onward::lifecycle::{
    Answer, AnyTask, ContainerStatus, Operation, PortStatus, TaskState, TaskStatus,
};
use onward::testing::{
    Behavior, Call, CallEvent, NoopController, Script, ScriptedController, ScriptedExecutor, Trace,
};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use time::{Duration, UtcDateTime};

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

/// A controller whose operations take this many polls, and then fail with this error if
/// there is one.
fn slow(polls: u32, fails: Option<fn() -> ControllerError>) -> ScriptedController {
    let behavior = fails.map_or_else(Behavior::succeeds, |error| Behavior::fails(error()));
    let exit_code = fails.and_then(|error| error().exit_code());
    let container = ContainerStatus { container_id: "c".into(), pid: Some(1), exit_code };
    let inspection = Inspection::default().with_container_status(container);
    let script =
        Script::new().with(Call::Inspect, [Behavior::returns(inspection).after_polls(polls)]);
    let operations = [Call::Prepare, Call::Start, Call::Wait, Call::Shutdown];
    ScriptedController::new(
        operations
            .into_iter()
            .fold(script, |script, call| script.with(call, [behavior.clone().after_polls(polls)])),
    )
}

/// The operations in the trace, filtered by their events.
fn operations(trace: &Trace, which: impl Fn(&CallEvent) -> bool) -> Vec<Call> {
    let entries = trace.entries().into_iter();
    let those = entries.filter(|entry| entry.call != Call::Inspect && which(&entry.event));
    those.map(|entry| entry.call).collect()
}

fn called(trace: &Trace) -> Vec<Call> {
    operations(trace, |event| *event == CallEvent::Begun)
}

fn returned(trace: &Trace) -> Vec<Call> {
    operations(trace, |event| matches!(event, CallEvent::Succeeded | CallEvent::Failed(_)))
}

fn task_in(state: TaskState) -> AnyTask {
    AnyTask::resume(TaskStatus::new(state))
}

/// Polls a future this many times, then drops it. Returns whether it was ready.
fn poll_times(future: impl Future, times: usize) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).any(|_| future.poll_unpin(&mut context).is_ready())
}

/// Drops a step after each number of polls. The task is then unchanged or has recorded the
/// operation, and further steps bring it to the same end.
fn check_drop_at_every_poll(
    from: TaskState,
    desired: TaskState,
    to: TaskState,
    fails: Option<fn() -> ControllerError>,
) {
    for polls in 0.. {
        let mut task = task_in(from);
        let mut controller = slow(5, fails);
        let trace = controller.trace().clone();
        let done = poll_times(step(&mut task, desired, &mut controller, &CLOCK), polls);

        let has_returned = !returned(&trace).is_empty();
        assert_eq!(task.state(), if has_returned { to } else { from }, "{from}, {polls} polls");
        if has_returned && fails.is_some() {
            assert_eq!(task.container_status().unwrap().exit_code, Some(137));
        }
        if done {
            assert!(polls > 5, "the operation was dropped after each number of polls");
            return;
        }
        // Further steps bring the task to the same end.
        let drive = async {
            while step(&mut task, desired, &mut controller, &CLOCK).await == Outcome::Advanced {}
        };
        assert!(poll_times(drive, 1000));
        assert_eq!(
            task.state(),
            match (fails, desired) {
                (Some(_), _) => to,
                (None, TaskState::Shutdown) => TaskState::Shutdown,
                (None, _) => TaskState::Complete,
            }
        );
        let mut distinct = returned(&trace);
        distinct.dedup();
        assert_eq!(distinct, returned(&trace), "an operation that returned is not called again");
    }
}

#[test]
fn a_dropped_operation_changes_nothing_and_one_that_returned_is_recorded() {
    use TaskState as S;
    check_drop_at_every_poll(S::Preparing, S::Running, S::Ready, None);
    check_drop_at_every_poll(S::Starting, S::Running, S::Running, None);
    check_drop_at_every_poll(S::Running, S::Running, S::Complete, None);
    check_drop_at_every_poll(S::Preparing, S::Shutdown, S::Shutdown, None);
    check_drop_at_every_poll(S::Running, S::Shutdown, S::Shutdown, None);
    let exit: fn() -> ControllerError = || ControllerError::new("exit").with_exit_code(137);
    check_drop_at_every_poll(S::Starting, S::Running, S::Failed, Some(exit));
    check_drop_at_every_poll(S::Running, S::Running, S::Failed, Some(exit));
}

#[test]
fn a_dropped_resolve_changes_nothing() {
    let assignment = Assignment::new("t", ());
    for polls in 0..=4 {
        let asked = Behavior::succeeds().after_polls(3);
        let script = Script::new().with(Call::Controller, [asked]);
        let executor = ScriptedExecutor::new(move |_| script.clone());
        let mut task = task_in(TaskState::Assigned);
        let done = poll_times(resolve(&mut task, &assignment, &executor, &CLOCK), polls);
        assert_eq!(done, polls == 4);
        assert_eq!(task.state(), if done { TaskState::Accepted } else { TaskState::Assigned });
    }
}

#[test]
fn a_task_moves_from_assigned_to_complete_in_six_steps_and_is_dead_then() {
    let mut task = task_in(TaskState::Assigned);
    let mut controller = slow(0, None);
    let mut outcomes = Vec::new();
    let mut messages = Vec::new();
    for _ in 0..7 {
        let next = step(&mut task, TaskState::Running, &mut controller, &CLOCK);
        outcomes.push(block_on(next));
        messages.push(task.message().to_owned());
    }
    assert_eq!(outcomes[..6], [Outcome::Advanced; 6]);
    assert_eq!(outcomes[6], Outcome::Dead);
    assert_eq!(
        messages,
        ["accepted", "preparing", "prepared", "starting", "started", "finished", "finished"]
    );
    assert_eq!(called(controller.trace()), [Call::Prepare, Call::Start, Call::Wait]);
}

#[test]
fn a_step_without_work_is_dead_in_a_terminal_state_and_a_noop_in_others() {
    for state in TaskState::ALL {
        let mut task = task_in(state);
        let desired = if state < TaskState::Complete { TaskState::New } else { TaskState::Remove };
        let outcome = block_on(step(&mut task, desired, &mut slow(0, None), &CLOCK));
        let expected = match state {
            TaskState::New => Outcome::Noop,
            state if state.is_terminal() => Outcome::Dead,
            _ => Outcome::Noop,
        };
        assert_eq!(outcome, expected, "{state}");
    }
}

#[test]
fn a_temporary_error_is_a_retry_and_keeps_the_state() {
    let mut task = task_in(TaskState::Preparing);
    let mut controller = slow(0, Some(|| ControllerError::new("busy").temporary()));
    let outcome = block_on(step(&mut task, TaskState::Running, &mut controller, &CLOCK));
    assert_eq!((outcome, task.state()), (Outcome::Retry, TaskState::Preparing));
    assert_eq!(task.err(), Some("busy"));
}

#[test]
fn a_boxed_controller_does_what_the_controller_does() {
    let mut plain = task_in(TaskState::Assigned);
    let mut boxed = task_in(TaskState::Assigned);
    let mut controller: BoxController<()> = slow(0, None).boxed().boxed();
    let mut slow = slow(0, None);
    for _ in 0..7 {
        let a = block_on(step(&mut plain, TaskState::Running, &mut slow, &CLOCK));
        let b = block_on(step(&mut boxed, TaskState::Running, &mut controller, &CLOCK));
        assert_eq!((a, &plain), (b, &boxed));
    }
}

#[test]
fn a_boxed_controller_accepts_only_updates_of_its_own_kind() {
    /// Accepts any number below ten.
    struct Number(u8);
    impl Controller for Number {
        type Definition = u8;
        async fn update(&mut self, definition: &u8) -> Result<(), ControllerError> {
            self.0 = *definition;
            if self.0 < 10 { Ok(()) } else { Err(ControllerError::update_rejected("too high")) }
        }
        async fn start(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn wait(&mut self) -> Result<(), ControllerError> {
            Err(ControllerError::new("exit").with_exit_code(self.0.into()))
        }
        async fn shutdown(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
    }
    let mut controller = Number(1).boxed_for(|either: &Result<u8, ()>| either.as_ref().ok());
    block_on(async {
        let refused = |answer: Result<(), ControllerError>| answer.unwrap_err().to_string();
        controller.update(&Ok(7)).await.unwrap();
        assert_eq!(refused(controller.update(&Ok(10)).await), "too high");
        let other = "a task cannot change its kind";
        assert_eq!(refused(controller.update(&Err(())).await), other);
        assert_eq!(controller.wait().await.unwrap_err().exit_code(), Some(10));
    });
}

/// A clock that advances by a second with each read, and counts the reads.
#[derive(Default)]
struct Counting(AtomicI64);

impl WallClock for Counting {
    fn now(&self) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::seconds(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Counting {
    fn reads(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn the_clock_is_read_once_for_each_change_after_the_operation_has_returned() {
    let clock = Counting::default();
    let mut task = task_in(TaskState::Assigned);
    let mut controller = slow(0, None);
    let mut reads = Vec::new();
    for _ in 0..7 {
        _ = block_on(step(&mut task, TaskState::Running, &mut controller, &clock));
        reads.push(clock.reads());
    }
    // The container status differs once, after the fourth step.
    assert_eq!(reads, [1, 2, 3, 5, 6, 7, 7]);

    let clock = Counting::default();
    let mut task = task_in(TaskState::Running);
    let mut slow = slow(3, None);
    let mut waiting = pin!(step(&mut task, TaskState::Running, &mut slow, &clock));
    assert!(waiting.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(clock.reads(), 0, "the clock is not read before the operation has returned");
}

#[test]
fn a_clock_behind_a_reference_is_a_clock() {
    let clock: Arc<dyn WallClock> = Arc::new(Counting::default());
    let mut task = task_in(TaskState::Ready);
    let outcome = block_on(step(&mut task, TaskState::Running, &mut slow(0, None), &*clock));
    assert_eq!((outcome, task.state()), (Outcome::Advanced, TaskState::Starting));
}

#[test]
fn resolve_reads_the_clock_after_the_executor_has_returned_and_records_its_error() {
    let assignment = Assignment::new("t", 4);
    let clock = Counting::default();
    let mut task = task_in(TaskState::Assigned);
    let executor = Arc::new(ScriptedExecutor::new(|assignment: &Assignment<u64>| {
        assert_eq!((&*assignment.id, assignment.definition), ("t", 4));
        let error = ControllerError::new("no such kind").with_source(ControllerError::new("x"));
        Script::new().with(Call::Controller, [Behavior::fails(error).after_polls(1)])
    }));
    {
        let mut resolving = pin!(resolve(&mut task, &assignment, &executor, &clock));
        let mut context = Context::from_waker(Waker::noop());
        assert!(resolving.poll_unpin(&mut context).is_pending());
        assert_eq!(clock.reads(), 0);
        assert!(resolving.poll_unpin(&mut context).is_ready());
    }
    assert_eq!((task.state(), task.err()), (TaskState::Rejected, Some("no such kind: x")));
}

#[test]
fn the_default_desired_state_of_an_assignment_is_running() {
    let told = |assignment: Assignment<char>| {
        let Assignment { id, desired_state, definition, service_id, .. } = assignment;
        assert_eq!((&*id, definition), ("t", 'd'));
        (desired_state, service_id)
    };
    let new = || Assignment::new("t", 'd');
    assert_eq!(told(new()), (TaskState::Running, None));
    for desired in TaskState::ALL {
        assert_eq!(told(new().with_desired_state(desired)), (desired, None));
    }
    assert_eq!(told(new().with_service_id("s")), (TaskState::Running, Some("s".into())));
    assert_eq!(Assignment::new("t", 'x').with_definition('d'), new());
}

#[test]
fn a_failed_inspection_has_its_error_and_any_other_its_value() {
    let answered = Inspection::default().with_port_status(Ok(PortStatus::default()));
    assert!(matches!(answered.port_status, Inspected::Known(ports) if ports.is_empty()));
    assert!(matches!(answered.container_status, Inspected::Unchanged));
    let gone = ControllerError::new("gone");
    let failed = Inspection::default().with_container_status(Err(gone));
    assert!(
        matches!(failed.container_status, Inspected::Failed(error) if error.to_string() == "gone")
    );
    assert!(matches!(failed.port_status, Inspected::Unchanged));
}

#[test]
fn perform_calls_terminate_for_terminate() {
    let mut controller = ScriptedController::<()>::default();
    let answer = block_on(perform(Operation::Terminate, &mut controller));
    assert_eq!((answer, called(controller.trace())), (Answer::Succeeded, vec![Call::Terminate]));
}

#[test]
fn a_boxed_controller_calls_the_right_operation() {
    use Call::{Close, Inspect, Prepare, Remove, Shutdown, Start, Terminate, Update, Wait};
    let controller = ScriptedController::<()>::default();
    let trace = controller.trace().clone();
    let mut controller = controller.boxed();
    block_on(async {
        controller.update(&()).await.unwrap();
        controller.prepare().await.unwrap();
        controller.start().await.unwrap();
        controller.wait().await.unwrap();
        controller.shutdown().await.unwrap();
        controller.terminate().await.unwrap();
        controller.remove().await.unwrap();
        controller.inspect().await;
        controller.close().await.unwrap();
    });
    let calls = [Update, Prepare, Start, Wait, Shutdown, Terminate, Remove, Inspect, Close];
    assert_eq!(trace.calls(), calls);
}

#[test]
fn a_boxed_controller_forwards_its_progress_reporter_and_clones_report_to_the_same_place() {
    struct Pulls(Option<ProgressReporter>);
    impl Controller for Pulls {
        type Definition = ();
        fn set_progress(&mut self, progress: ProgressReporter) {
            self.0 = Some(progress);
        }
        async fn prepare(&mut self) -> Result<(), ControllerError> {
            if let Some(progress) = &self.0 {
                progress.report("connecting");
                progress.clone().report(format!("pulling layer {} of {}", 3, 7));
            }
            Ok(())
        }
        async fn start(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn wait(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn shutdown(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
    }
    let lines = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&lines);
    let mut controller = Pulls(None).boxed().boxed();
    controller.set_progress(ProgressReporter::new(move |line| shown.lock().unwrap().push(line)));
    block_on(controller.prepare()).unwrap();
    assert_eq!(*lines.lock().unwrap(), ["connecting", "pulling layer 3 of 7"]);
    // A controller without progress ignores the reporter.
    Bare::default().set_progress(ProgressReporter::new(|line| panic!("{line}")));
}

#[test]
fn the_debug_form_of_a_boxed_controller_hides_the_controller() {
    assert_eq!(format!("{:?}", NoopController::Ends.boxed()), "BoxController { .. }");
}

#[test]
fn the_default_remove_terminates() {
    #[derive(Default)]
    struct Forceful(Vec<&'static str>);
    impl Controller for Forceful {
        type Definition = ();
        async fn start(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn wait(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn shutdown(&mut self) -> Result<(), ControllerError> {
            self.0.push("shutdown");
            Ok(())
        }
        async fn terminate(&mut self) -> Result<(), ControllerError> {
            self.0.push("terminate");
            Ok(())
        }
    }
    let mut controller = Forceful::default();
    block_on(controller.remove()).unwrap();
    assert_eq!(controller.0, ["terminate"]);
}

/// A controller with the three required operations and no others.
#[derive(Default)]
struct Bare {
    calls: Vec<&'static str>,
}

impl Controller for Bare {
    type Definition = u8;

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.calls.push("start");
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.calls.push("wait");
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.calls.push("shutdown");
        Ok(())
    }
}

#[test]
fn the_default_methods_reject_updates_stop_the_workload_and_do_nothing_else() {
    let mut controller = Bare::default();
    block_on(async {
        let refused = controller.update(&2).await.unwrap_err();
        assert_eq!(refused.kind(), onward::exec::ErrorKind::UpdateRejected);
        controller.prepare().await.unwrap();
        controller.close().await.unwrap();
        assert_eq!(controller.calls, [""; 0]);
        controller.terminate().await.unwrap();
        controller.remove().await.unwrap();
        assert_eq!(controller.calls, ["shutdown", "shutdown"]);
        let inspection = controller.inspect().await;
        assert!(matches!(inspection.container_status, Inspected::Unchanged));
        assert!(matches!(inspection.port_status, Inspected::Unchanged));
        assert!(controller.logs().is_none());
    });
}

#[test]
fn the_futures_of_step_and_resolve_are_send() {
    fn check(_: impl Send) {}
    let mut task = task_in(TaskState::Running);
    let mut controller = slow(0, None);
    check(step(&mut task, TaskState::Running, &mut controller, &CLOCK));
    let mut boxed = NoopController::Ends.boxed();
    check(step(&mut task, TaskState::Running, &mut boxed, &CLOCK));
}
