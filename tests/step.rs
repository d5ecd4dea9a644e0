//! One step of a task: what is called, what it comes to, and what dropping it
//! leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use futures::FutureExt;
use futures::executor::block_on;
use onward::exec::{
    Assignment, BoxController, Controller, ControllerError, Executor, Inquiry, Inspection, Outcome,
    resolve, step,
};
use onward::lifecycle::{AnyTask, ContainerStatus, TaskState, TaskStatus};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use time::UtcDateTime;

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

/// Yields a few times in every operation, and remembers what was called.
#[derive(Default)]
struct Slow {
    yields: usize,
    calls: Vec<&'static str>,
    /// The operations that were not dropped.
    returned: Vec<&'static str>,
    fails: Option<fn() -> ControllerError>,
}

impl Slow {
    async fn operation(&mut self, name: &'static str) -> Result<(), ControllerError> {
        self.calls.push(name);
        yield_times(self.yields).await;
        self.returned.push(name);
        self.fails.map_or(Ok(()), |error| Err(error()))
    }
}

impl Controller for Slow {
    type Definition = ();

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.operation("prepare").await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.operation("start").await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.operation("wait").await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.operation("shutdown").await
    }
    async fn inspect(&mut self) -> Inspection {
        yield_times(self.yields).await;
        let container = ContainerStatus { container_id: "c".into(), pid: 1, exit_code: 0 };
        Inspection::default().with_container_status(container)
    }
}

async fn yield_times(times: usize) {
    let mut left = times;
    std::future::poll_fn(move |_| {
        let done = left == 0;
        left = left.saturating_sub(1);
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn task_in(state: TaskState) -> AnyTask {
    AnyTask::resume(TaskStatus::new(state))
}

/// Polls a future so many times, then drops it; says whether it was ready.
fn poll_times(future: impl Future, times: usize) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).any(|_| future.poll_unpin(&mut context).is_ready())
}

fn check_drop_at_every_poll(from: TaskState, desired: TaskState, to: TaskState) {
    for polls in 0.. {
        let mut task = task_in(from);
        let mut controller = Slow { yields: 5, ..Slow::default() };
        let done = poll_times(step(&mut task, desired, &mut controller, &CLOCK), polls);

        let returned = !controller.returned.is_empty();
        assert_eq!(task.state(), if returned { to } else { from }, "{from}, {polls} polls");

        // The next steps go on from there, to the same end.
        let drive = async {
            while step(&mut task, desired, &mut controller, &CLOCK).await == Outcome::Advanced {}
        };
        assert!(poll_times(drive, 1000));
        let end = if desired == TaskState::Shutdown { desired } else { TaskState::Complete };
        assert_eq!(task.state(), end);
        assert_eq!(
            controller.returned.iter().collect::<std::collections::BTreeSet<_>>().len(),
            controller.returned.len(),
            "nothing that returned is called again: {:?}",
            controller.returned
        );
        if done {
            assert!(polls > 10, "the operation and the inquiry were both dropped at every poll");
            return;
        }
    }
}

#[test]
fn a_dropped_operation_leaves_the_task_where_it_was_and_one_that_returned_is_not_forgotten() {
    check_drop_at_every_poll(TaskState::Starting, TaskState::Running, TaskState::Running);
    check_drop_at_every_poll(TaskState::Running, TaskState::Running, TaskState::Complete);
    check_drop_at_every_poll(TaskState::Preparing, TaskState::Shutdown, TaskState::Shutdown);
    check_drop_at_every_poll(TaskState::Running, TaskState::Shutdown, TaskState::Shutdown);
}

#[test]
fn a_dropped_resolve_leaves_the_task_as_it_was() {
    struct SlowExecutor;
    impl Executor for SlowExecutor {
        type Definition = ();
        type Controller = Slow;
        async fn controller(&self, _: &Assignment<()>) -> Result<Slow, ControllerError> {
            yield_times(3).await;
            Ok(Slow::default())
        }
    }
    let assignment = Assignment::new("t", ());
    for polls in 0..=4 {
        let mut task = task_in(TaskState::Assigned);
        let done = poll_times(resolve(&mut task, &assignment, &SlowExecutor, &CLOCK), polls);
        assert_eq!(done, polls == 4);
        assert_eq!(task.state(), if done { TaskState::Accepted } else { TaskState::Assigned });
    }
}

#[test]
fn a_task_goes_from_assigned_to_complete_in_six_steps_and_is_dead_then() {
    let mut task = task_in(TaskState::Assigned);
    let mut controller = Slow::default();
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
    assert_eq!(controller.calls, ["prepare", "start", "wait"]);
}

#[test]
fn a_noop_is_final_in_a_terminal_state_and_only_there() {
    for state in TaskState::ALL {
        let mut task = task_in(state);
        let desired = if state < TaskState::Complete { TaskState::New } else { TaskState::Remove };
        let outcome = block_on(step(&mut task, desired, &mut Slow::default(), &CLOCK));
        let expected = match state {
            TaskState::New => Outcome::Noop,
            state if state.is_terminal() => Outcome::Dead,
            _ => Outcome::Noop,
        };
        assert_eq!(outcome, expected, "{state}");
    }
}

#[test]
fn a_temporary_failure_is_a_retry_and_the_task_stays() {
    let mut task = task_in(TaskState::Preparing);
    let mut controller =
        Slow { fails: Some(|| ControllerError::new("busy").temporary()), ..Slow::default() };
    let outcome = block_on(step(&mut task, TaskState::Running, &mut controller, &CLOCK));
    assert_eq!((outcome, task.state(), task.err()), (Outcome::Retry, TaskState::Preparing, "busy"));
}

#[test]
fn a_boxed_controller_does_what_the_controller_does() {
    let mut plain = task_in(TaskState::Assigned);
    let mut boxed = task_in(TaskState::Assigned);
    let mut controller: BoxController<()> = Slow::default().boxed().boxed();
    let mut slow = Slow::default();
    for _ in 0..7 {
        let a = block_on(step(&mut plain, TaskState::Running, &mut slow, &CLOCK));
        let b = block_on(step(&mut boxed, TaskState::Running, &mut controller, &CLOCK));
        assert_eq!((a, &plain), (b, &boxed));
    }
}

#[test]
fn a_controller_in_a_box_takes_the_updates_of_its_own_kind_only() {
    /// Takes any number below ten.
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
        let other = "a task cannot become one of another kind";
        assert_eq!(refused(controller.update(&Err(())).await), other);
        assert_eq!(controller.wait().await.unwrap_err().exit_code(), Some(10));
    });
}

/// Has the three operations that a controller must have, and nothing else.
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
fn the_defaults_refuse_updates_end_the_workload_and_do_nothing_else() {
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
        assert!(matches!(inspection.container_status, Inquiry::NothingNew));
        assert!(matches!(inspection.port_status, Inquiry::NothingNew));
        assert!(controller.logs().is_none());
    });
}

#[test]
fn the_futures_of_a_step_can_go_to_another_thread() {
    fn check(_: impl Send) {}
    let mut task = task_in(TaskState::Running);
    let mut controller = Slow::default();
    check(step(&mut task, TaskState::Running, &mut controller, &CLOCK));
    let mut boxed = Slow::default().boxed();
    check(step(&mut task, TaskState::Running, &mut boxed, &CLOCK));
}
