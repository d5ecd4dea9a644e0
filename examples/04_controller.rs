//! A controller of one's own, and `step`: what its errors mean for the task.
//!
//! ```sh
//! cargo run --example 04_controller
//! ```
//!
//! A task verifies a file: it reads it, computes its checksum on a thread, and compares.
//! Four of them end differently, by nothing but what the controller answers:
//!
//! - a temporary error is tried again: the file was not there yet;
//! - any other error before the start is a rejection;
//! - any other error after it is a failure.

use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use onward::exec::SystemClock;
use onward::{AnyTask, Controller, ControllerError, Outcome, TaskState, TaskStatus, step};
use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::{fs, thread};

/// What a task is here: a file, and the checksum that it should have.
struct Verification {
    path: PathBuf,
    checksum: u64,
}

/// The controller. All that an operation has begun is in `self`, never in its future:
/// that may be dropped at any time, and the operation called again.
struct Verifier {
    task: Verification,
    bytes: Option<Vec<u8>>,
    /// The checksum, when the thread has it. Shared, it can be awaited again and again.
    computed: Option<Shared<oneshot::Receiver<u64>>>,
}

impl Controller for Verifier {
    type Definition = Verification;

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        let read = fs::read(&self.task.path);
        self.bytes = Some(read.map_err(|error| {
            // It may come: worth another try.
            let may_come = error.kind() == ErrorKind::NotFound;
            let error = ControllerError::new("not read").with_source(error);
            if may_come { error.temporary() } else { error }
        })?);
        Ok(())
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.computed.is_some() {
            return Err(ControllerError::already_started());
        }
        let Some(bytes) = self.bytes.take() else { return Err("not prepared".into()) };
        let (tell, told) = oneshot::channel();
        thread::spawn(move || tell.send(fnv1a(&bytes)));
        self.computed = Some(told.shared());
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(computed) = &self.computed else { return Err("not started".into()) };
        match computed.clone().await {
            Ok(checksum) if checksum == self.task.checksum => Ok(()),
            Ok(checksum) => Err(format!("the checksum is {checksum:016x}").into()),
            Err(_) => Err("the thread panicked".into()),
        }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        // It cannot be hurried, and it is soon done. Nothing to end is a success.
        if let Some(computed) = &self.computed {
            _ = computed.clone().await;
        }
        Ok(())
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Steps until there is nothing more to do. `retry` is called before another try; a
/// real agent would wait here, and give up at some time (see `06_driver`).
async fn run(name: &str, task: Verification, desired: TaskState, retry: impl Fn()) -> TaskState {
    let mut controller = Verifier { task, bytes: None, computed: None };
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    loop {
        let outcome = step(&mut task, desired, &mut controller, &SystemClock).await;
        if let Some(status) = task.take_changed() {
            println!(
                "{name:<8} {:<9} {:<9} {}",
                status.state,
                status.message,
                status.err.as_deref().unwrap_or_default()
            );
        }
        match outcome {
            Outcome::Advanced => {}
            Outcome::Retry => retry(),
            Outcome::Noop | Outcome::Dead => return task.state(),
        }
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file");
    let file = |checksum| Verification { path: path.clone(), checksum };
    let not_a_file = Verification { path: folder.path().to_owned(), checksum: 0 };
    let deliver = || fs::write(&path, "foobar").unwrap_or_else(|error| eprintln!("{error}"));
    futures::executor::block_on(async {
        let late = run("late", file(0x8594_4171_f739_67e8), TaskState::Running, deliver).await;
        assert_eq!(late, TaskState::Complete);
        let folder = run("folder", not_a_file, TaskState::Running, || {}).await;
        assert_eq!(folder, TaskState::Rejected);
        let wrong = run("wrong", file(42), TaskState::Running, || {}).await;
        assert_eq!(wrong, TaskState::Failed);
        // Wanted no further than READY, it waits there, to be started at once later on.
        let ready = run("standby", file(0), TaskState::Ready, || {}).await;
        assert_eq!(ready, TaskState::Ready);
    });
    Ok(())
}
