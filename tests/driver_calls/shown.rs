//! Snapshots, and the warnings about a `terminate` that hangs.

use super::life::{Life, busy, policy, seconds, shutdown, update, waits};
use crate::hands_out::driver_of;
use onward::agent::driver::DefinitionStatus;
use onward::exec::{Controller, ControllerError, ProgressReporter};
use onward::lifecycle::{Task, TaskState};
use onward::testing::{Behavior, Call, Trace, VirtualPool, VirtualTime};
use std::future::pending;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[test]
fn a_definition_is_pending_applied_outdated_or_refused() {
    let life = Life::of(policy(), |_| {
        let refuses = Behavior::fails(ControllerError::update_rejected("no"));
        let slow = || Behavior::succeeds().after(seconds(5));
        waits()
            .with(Call::Controller, [slow()])
            .with(Call::Update, [slow(), refuses, Behavior::succeeds()])
    });
    assert_eq!(life.until(1_000).definition, DefinitionStatus::Pending);
    assert_eq!(life.until(6_000).definition, DefinitionStatus::Applied);
    life.handle.update(update(2)).unwrap();
    assert_eq!(life.until(7_000).definition, DefinitionStatus::Outdated);
    assert_eq!(life.until(12_000).definition, DefinitionStatus::Applied);
    life.handle.update(update(3)).unwrap();
    assert_eq!(life.until(13_000).definition, DefinitionStatus::Refused("no".into()));
    let calls = life.calls().len();
    life.handle.update(update(3)).unwrap();
    life.until(14_000);
    assert_eq!(life.calls().len(), calls, "a refused definition is not offered again");
    life.handle.update(update(2)).unwrap();
    assert_eq!(life.until(15_000).definition, DefinitionStatus::Applied);
}

#[test]
fn a_definition_that_comes_back_during_its_own_update_is_not_outdated() {
    let slow = || Behavior::succeeds().after(seconds(5));
    let life = Life::of(policy(), move |_| waits().with(Call::Update, [slow()]));
    life.until(1_000);
    life.handle.update(update(2)).unwrap();
    life.until(2_000);
    life.handle.update(update(3)).unwrap();
    life.handle.update(update(2)).unwrap();
    assert_eq!(life.until(6_500).definition, DefinitionStatus::Applied);
}

#[test]
fn the_last_error_is_shown_only_while_its_call_is_retried() {
    let life = Life::of(policy(), |_| {
        waits().with(Call::Update, [busy()]).with(Call::Remove, [busy(), Behavior::succeeds()])
    });
    assert_eq!(life.until(1_000).last_error, None);
    life.handle.update(update(2)).unwrap();
    let early = life.until(1_500);
    assert_eq!((early.last_error.as_deref(), early.attempt), (Some("busy"), Some(2)));
    life.handle.update(shutdown(2)).unwrap();
    assert_eq!(life.until(3_000).last_error, None);
    life.handle.remove();
    assert_eq!(life.until(3_500).last_error.as_deref(), Some("busy"));
    assert_eq!(life.until(5_000).last_error, None);
}

#[test]
fn a_task_without_a_call_has_no_attempt() {
    let life = Life::of(policy(), |_| waits());
    assert_eq!(life.until(1_000).attempt, Some(1));
    life.handle.update(shutdown(1)).unwrap();
    let ended = life.until(2_000);
    assert_eq!((ended.status.state, ended.attempt), (TaskState::Shutdown, None));
}

/// Reports progress in `prepare`, and again after it, which must be ignored.
struct Pulls(Option<ProgressReporter>);

impl Controller for Pulls {
    type Definition = u64;

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.0 = Some(progress);
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        let progress = self.0.as_ref().unwrap();
        progress.report("connecting");
        progress.report(format!("pulling layer {} of {}", 3, 7));
        pending().await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        pending().await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.0.as_ref().unwrap().report("too late");
        Ok(())
    }
}

#[test]
fn the_last_line_of_progress_is_shown_while_the_task_is_prepared() {
    let pool = VirtualPool::new(VirtualTime::new(), 0);
    let (driver, _) = driver_of(Task::new().into(), update(1), Pulls(None), pool.clone());
    let life = Life::driven(pool, Trace::new(), driver);
    assert_eq!(life.handle.snapshot().progress, None);
    let prepares = life.until(1_000);
    assert_eq!(prepares.status.state, TaskState::Preparing);
    assert_eq!(prepares.progress.as_deref(), Some("pulling layer 3 of 7"));
    life.handle.update(shutdown(1)).unwrap();
    let ended = life.until(2_000);
    assert_eq!((ended.status.state, ended.progress), (TaskState::Shutdown, None));
}

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

#[test]
fn a_terminate_that_hangs_is_logged_again_and_again_with_its_age() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    let logged = || {
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let ages = text.lines().filter_map(|line| line.split_once("terminate has not returned "));
        ages.map(|(_, age)| age.to_owned()).collect::<Vec<_>>()
    };
    tracing::subscriber::with_default(subscriber, || {
        let life = Life::of(policy(), |_| {
            waits()
                .with(Call::Shutdown, [Behavior::fails("it does not listen")])
                .with(Call::Terminate, [Behavior::hangs()])
        });
        life.until(1_000);
        life.handle.update(shutdown(1)).unwrap();
        life.until(30_900);
        assert_eq!(logged(), [""; 0]);
        life.until(31_100);
        assert_eq!(logged(), ["age=30s"]);
        life.until(120_900);
        assert_eq!(logged(), ["age=30s", "age=60s"]);
        let late = life.until(1_000_000);
        assert_eq!(
            logged(),
            ["age=30s", "age=60s", "age=120s", "age=240s", "age=480s", "age=960s"]
        );
        assert!(!late.status.state.is_terminal(), "its workload may run");
        assert!(late.terminating_since.is_some());
        assert_eq!(life.calls().last(), Some(&Call::Terminate));
    });
}
