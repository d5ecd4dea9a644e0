//! Log events, with SwarmKit's fields: which are logged, and which are not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

#[path = "support/hands_out.rs"]
mod hands_out;

use futures::FutureExt;
use futures::executor::block_on;
use hands_out::driver_of;
use onward::agent::{Driver, Policy};
use onward::exec::{Assignment, ControllerError, resolve, step, task_span};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, Script, ScriptedController, ScriptedExecutor, VirtualPool, VirtualTime,
};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::UtcDateTime;
use tracing_subscriber::fmt::MakeWriter;

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Buffer {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The log of this function, one event a line.
fn logged(of: impl FnOnce()) -> Vec<String> {
    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(buffer.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || task_span("t1").in_scope(of));
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// A controller whose `start` and `inspect` fail with the same error.
fn failing(error: fn() -> ControllerError) -> ScriptedController {
    let fails = || [Behavior::fails(error())];
    ScriptedController::new(Script::new().with(Call::Start, fails()).with(Call::Inspect, fails()))
}

fn log_of_a_step(
    from: TaskState,
    desired: TaskState,
    error: fn() -> ControllerError,
) -> Vec<String> {
    logged(|| {
        let mut task = AnyTask::resume(TaskStatus::new(from));
        _ = block_on(step(&mut task, desired, &mut failing(error), &CLOCK));
    })
}

#[test]
fn a_change_of_state_is_logged_with_both_states_and_the_desired_one() {
    assert_eq!(
        log_of_a_step(TaskState::Ready, TaskState::Running, || ControllerError::interrupted("x")),
        [
            r#"DEBUG task{task.id="t1"}: state changed state.transition=READY->STARTING state.desired="RUNNING""#
        ]
    );
}

#[test]
fn a_fatal_error_and_a_failed_inspection_are_logged_as_errors_with_their_causes() {
    let error = || ControllerError::new("cannot start").with_source(io::Error::other("no disk"));
    assert_eq!(
        log_of_a_step(TaskState::Starting, TaskState::Running, error),
        [
            r#"ERROR task{task.id="t1"}: fatal task error error="cannot start: no disk""#,
            r#"DEBUG task{task.id="t1"}: state changed state.transition=STARTING->FAILED state.desired="RUNNING""#,
            r#"ERROR task{task.id="t1"}: container status unavailable error=cannot start: no disk"#,
            r#"ERROR task{task.id="t1"}: container port status unavailable error=cannot start: no disk"#,
        ]
    );
}

#[test]
fn a_delay_is_logged_with_its_error() {
    let busy = || ControllerError::new("busy").temporary();
    let lines = log_of_a_step(TaskState::Starting, TaskState::Running, busy);
    assert_eq!(lines[0], r#"DEBUG task{task.id="t1"}: task delayed error="busy""#);
}

#[test]
fn the_task_is_named_if_a_filter_lets_only_errors_through() {
    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_writer(buffer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        task_span("t1").in_scope(|| tracing::error!("mine"));
    });
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(r#"task{task.id="t1"}: trace: mine"#), "{text}");
}

#[test]
fn an_interruption_is_not_logged_nor_is_a_step_that_changes_nothing() {
    let interrupted = || ControllerError::interrupted("stop");
    assert_eq!(log_of_a_step(TaskState::Starting, TaskState::Running, interrupted), [""; 0]);
    assert_eq!(log_of_a_step(TaskState::Failed, TaskState::Running, interrupted), [""; 0]);
}

fn log_of_a_resolution(from: TaskState, answer: Result<(), &'static str>) -> Vec<String> {
    logged(|| {
        let mut task = AnyTask::resume(TaskStatus::new(from));
        let asked = answer.map_or_else(Behavior::fails, |()| Behavior::succeeds());
        let script = Script::new().with(Call::Controller, [asked]);
        let executor = ScriptedExecutor::new(move |_| script.clone());
        _ = block_on(resolve(&mut task, &Assignment::new("t1", ()), &executor, &CLOCK));
    })
}

#[test]
fn resolve_logs_the_error_of_the_executor_and_the_change_of_state() {
    assert_eq!(
        log_of_a_resolution(TaskState::Assigned, Err("no such kind")),
        [
            r#"ERROR task{task.id="t1"}: controller resolution failed error="no such kind""#,
            r#"DEBUG task{task.id="t1"}: state changed state.transition=ASSIGNED->REJECTED state.desired="RUNNING""#,
        ]
    );
}

#[test]
fn resolve_logs_nothing_for_a_task_that_was_accepted_before() {
    for state in TaskState::ALL.into_iter().filter(|state| *state >= TaskState::Accepted) {
        assert_eq!(log_of_a_resolution(state, Ok(())), [""; 0], "{state}");
    }
}

/// A controller whose workload runs, and whose other operations fail.
fn stubborn() -> ScriptedController<u64> {
    let fails =
        |error: ControllerError, source: &'static str| [Behavior::fails(error.with_source(source))];
    ScriptedController::new(
        Script::new()
            .with(Call::Update, fails(ControllerError::update_rejected("no"), "not now"))
            .with(Call::Wait, [Behavior::hangs()])
            .with(Call::Remove, fails("busy".into(), "mounted"))
            .with(Call::Close, fails("gone".into(), "long ago"))
            .with(Call::Inspect, [Behavior::panics("no inspection")]),
    )
}

#[test]
fn retries_and_terminations_of_a_driver_are_logged() {
    let time = VirtualTime::new();
    let lines = logged(|| {
        let busy = || [Behavior::fails(ControllerError::new("busy").temporary())];
        let script = Script::new()
            .with(Call::Wait, [Behavior::hangs()])
            .with(Call::Update, busy())
            .with(Call::Shutdown, [Behavior::hangs()])
            .with(Call::Remove, busy());
        let task = AnyTask::resume(TaskStatus::new(TaskState::Running));
        let controller = ScriptedController::new(script).with_time(time.clone());
        let pool = VirtualPool::new(time.clone(), 0);
        let (mut driver, handle) = driver_of(task, Assignment::new("t1", 1), controller, pool);
        let mut run = Box::pin(driver.run());
        let mut look = || (&mut run).now_or_never().is_none();
        assert!(look());
        handle.update(Assignment::new("t1", 2)).unwrap();
        assert!(look());
        let stopped = Assignment::new("t1", 2);
        handle.update(stopped.with_desired_state(TaskState::Shutdown)).unwrap();
        assert!(look());
        while handle.status().state < TaskState::Shutdown {
            time.advance();
            assert!(look());
        }
        handle.remove();
        assert!(look());
    });
    let others: Vec<_> = lines.iter().filter(|line| !line.contains("state changed")).collect();
    assert_eq!(
        others,
        [
            r#"DEBUG task{task.id="t1"}: call failed and is retried call="update" error="busy""#,
            r#"WARN task{task.id="t1"}: deadline passed call="shutdown" deadline=10s"#,
            r#"WARN task{task.id="t1"}: driver terminates the task reason="its shutdown took too long""#,
            r#"DEBUG task{task.id="t1"}: call failed and is retried call="remove" error="busy""#,
        ]
    );
}

/// The deadlines that are logged if this call never returns.
fn deadlines_of_a_call_that_hangs(call: Call) -> Vec<String> {
    let mut lines = logged(|| {
        let pool = VirtualPool::new(VirtualTime::new(), 0);
        let hangs = || [Behavior::hangs()];
        let script = Script::new().with(Call::Wait, hangs()).with(call, hangs());
        let executor =
            ScriptedExecutor::new(move |_| script.clone()).with_time(pool.time().clone());
        let seconds = Duration::from_secs;
        let policy = Policy::default()
            .with_controller_deadline(seconds(1))
            .with_prepare_deadline(seconds(2))
            .with_start_deadline(seconds(3))
            .with_update_deadline(seconds(4))
            .with_shutdown_grace(seconds(5))
            .with_remove_deadline(seconds(6))
            .with_inspect_deadline(seconds(7));
        let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
        let runtime = Arc::new(pool.clone());
        let driver = Driver::new(task, Assignment::new("t1", 1), executor, runtime);
        let mut driver = driver.with_policy(policy);
        let handle = driver.handle();
        assert_eq!(pool.run_until(driver.run()), None);
        let stopped = Assignment::new("t1", 2).with_desired_state(TaskState::Shutdown);
        match call {
            Call::Update => handle.update(Assignment::new("t1", 2)).unwrap(),
            Call::Shutdown => handle.update(stopped).unwrap(),
            Call::Remove => handle.remove(),
            _ => return,
        }
        _ = pool.run_until(driver.run());
    });
    lines.retain(|line| line.contains("deadline"));
    lines.retain(|line| !line.contains("error="));
    lines
}

#[test]
fn an_expired_deadline_is_logged_once_with_its_call() {
    let calls = [
        (Call::Controller, 1, 1),
        (Call::Prepare, 2, 1),
        (Call::Start, 3, 1),
        (Call::Update, 4, 1),
        (Call::Shutdown, 5, 1),
        (Call::Remove, 6, 1),
        // In STARTING and in RUNNING.
        (Call::Inspect, 7, 2),
    ];
    for (call, seconds, times) in calls {
        let line = format!(
            r#"WARN task{{task.id="t1"}}: deadline passed call="{call}" deadline={seconds}s"#
        );
        assert_eq!(deadlines_of_a_call_that_hangs(call), vec![line; times]);
    }
    assert_eq!(deadlines_of_a_call_that_hangs(Call::Terminate), [""; 0]);
}

#[test]
fn an_inspection_that_the_deadline_of_its_phase_drops_is_not_logged_as_its_own() {
    let lines = logged(|| {
        let pool = VirtualPool::new(VirtualTime::new(), 0);
        let busy = Behavior::fails(ControllerError::new("busy").temporary());
        let hangs = Behavior::hangs();
        let script = Script::new().with(Call::Start, [busy]).with(Call::Inspect, [hangs]);
        let executor =
            ScriptedExecutor::new(move |_| script.clone()).with_time(pool.time().clone());
        let policy = Policy::default().with_start_deadline(Duration::from_secs(3));
        let task = AnyTask::resume(TaskStatus::new(TaskState::Ready));
        let runtime = Arc::new(pool.clone());
        let driver = Driver::new(task, Assignment::new("t1", 1), executor, runtime);
        assert_eq!(pool.run_until(driver.with_policy(policy).run()), None);
    });
    let passed: Vec<_> = lines.iter().filter(|line| line.contains("deadline passed")).collect();
    let start = r#"WARN task{task.id="t1"}: deadline passed call="start" deadline=3s"#;
    let inspect = r#"WARN task{task.id="t1"}: deadline passed call="inspect" deadline=10s"#;
    // Before the first `start`, while the next one is awaited, and at the end.
    assert_eq!(passed, [inspect, start, inspect]);
}

#[test]
fn errors_that_a_driver_does_not_retry_are_logged() {
    let lines = logged(|| {
        let task = AnyTask::resume(TaskStatus::new(TaskState::Starting));
        let pool = VirtualPool::new(VirtualTime::new(), 0);
        let (mut driver, handle) = driver_of(task, Assignment::new("t1", 1), stubborn(), pool);
        let mut run = Box::pin(driver.run());
        assert!((&mut run).now_or_never().is_none());
        handle.update(Assignment::new("t2", 1)).unwrap_err();
        handle.update(Assignment::new("t1", 2)).unwrap();
        assert!((&mut run).now_or_never().is_none());
        handle.remove();
        run.now_or_never().unwrap();
    });
    assert_eq!(
        lines,
        [
            // `start` succeeds because the workload was started before.
            r#"ERROR task{task.id="t1"}: container status unavailable error=the controller panicked: no inspection"#,
            r#"DEBUG task{task.id="t1"}: state changed state.transition=STARTING->RUNNING state.desired="RUNNING""#,
            r#"ERROR task{task.id="t1"}: container status unavailable error=the controller panicked: no inspection"#,
            r#"WARN task{task.id="t1"}: driver refused the update task.id="t1" error=the update is for the task `t2`, and this is `t1`"#,
            r#"WARN task{task.id="t1"}: controller refused the definition error="no: not now""#,
            r#"ERROR task{task.id="t1"}: removal failed error="busy: mounted""#,
            r#"ERROR task{task.id="t1"}: close of the controller failed error="gone: long ago""#,
        ]
    );
}
