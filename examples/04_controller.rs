//! A controller of your own, driven by `step`: how its errors end a task.
//!
//! ```sh
//! cargo run --example 04_controller
//! ```
//!
//! A task verifies a file: it reads the file, computes the checksum on a thread, and
//! compares it. Four tasks end in different states, depending on what their controller
//! returns:
//!
//! - No error: the first task becomes COMPLETE. Before that, a temporary error is retried,
//!   because the file does not exist yet.
//! - A fatal error of `prepare`: the task is REJECTED.
//! - A fatal error of `wait`: the task is FAILED.
//! - The desired state READY: the task stops there.

use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};
use onward::exec::SystemClock;
use onward::{AnyTask, Controller, ControllerError, Outcome, TaskState, TaskStatus, step};
use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::{fs, thread};

/// The definition of a task: a file and its expected checksum.
struct Verification {
    path: PathBuf,
    checksum: u64,
}

/// The controller. Everything that an operation begins is stored in `self`, not in its
/// future. The future can be dropped at any time, and the operation is then called again.
struct Verifier {
    task: Verification,
    bytes: Option<Vec<u8>>,
    /// The checksum, when the thread has computed it. It is shared, so it can be awaited
    /// repeatedly.
    computed: Option<Shared<oneshot::Receiver<u64>>>,
}

impl Controller for Verifier {
    type Definition = Verification;

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        let read = fs::read(&self.task.path);
        self.bytes = Some(read.map_err(|error| {
            // The file may be created later, so a retry can succeed.
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
        // The computation is short and cannot be stopped. If there is none, return success.
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

/// Steps until there is nothing more to do. `retry` is called before each retry. A real
/// agent waits here, and gives up after a while; see `06_driver`.
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
        // With the desired state READY, the task waits there and can start at once later.
        let ready = run("standby", file(0), TaskState::Ready, || {}).await;
        assert_eq!(ready, TaskState::Ready);
    });
    Ok(())
}
