//! Typed tasks: the state is part of the type, so an illegal move does not compile.
//!
//! ```sh
//! cargo run --example 01_typed
//! ```
//!
//! Three tasks each count the lines of a file: a text file, a missing file, and a binary
//! file. The program never checks a state at run time, because every variable, argument and
//! field has the state in its type.

use onward::lifecycle::{Edge, Live};
use onward::{Failure, State, Task, TaskState, state};
use std::error::Error;
use std::path::Path;
use std::{env, fs};
use time::UtcDateTime;

/// Preparing means reading the file. A task that fails here is REJECTED. The return type
/// has no third case.
fn read(
    task: Task<state::Preparing>,
    path: &Path,
) -> Result<(Task<state::Ready>, Vec<u8>), Task<state::Rejected>> {
    match fs::read(path) {
        Ok(bytes) => Ok((task.prepared(UtcDateTime::now()), bytes)),
        // `task.failed(…)` would not compile: no edge leads from PREPARING to FAILED.
        Err(error) => Err(task.rejected(Failure::new(error.to_string()), UtcDateTime::now())),
    }
}

/// The number of lines of a file, and its task. The task is COMPLETE: no other value of
/// this type exists.
struct Count {
    lines: usize,
    task: Task<state::Complete>,
}

/// Each move consumes the task and returns it in its next state. The old task cannot be
/// used again.
fn count(task: Task<state::Ready>, bytes: &[u8]) -> Result<Count, Task<state::Failed>> {
    let task = task.starting(UtcDateTime::now()).started(UtcDateTime::now());
    match str::from_utf8(bytes) {
        Ok(text) => {
            Ok(Count { lines: text.lines().count(), task: task.finished(UtcDateTime::now()) })
        }
        Err(error) => Err(task.failed(Failure::new(error.to_string()), UtcDateTime::now())),
    }
}

/// Accepts every state from which an edge leads to SHUTDOWN.
fn call_off<S: Edge<state::Shutdown>>(task: Task<S>) -> Task<state::Shutdown> {
    task.shut_down(UtcDateTime::now())
}

/// Accepts every state that is not terminal. It notes a delay, which does not move the
/// task.
fn late<S: Live>(task: &mut Task<S>) {
    task.delayed(Failure::new("the disk is slow"), UtcDateTime::now());
}

/// Accepts every state. `S::VALUE` is the state as a value.
fn show<S: State>(name: &str, task: &Task<S>) -> TaskState {
    println!("{name:<13} {:<9} {:<9} {}", S::VALUE, task.message(), task.err().unwrap_or_default());
    S::VALUE
}

/// Runs one task from beginning to end. Returns its last state.
fn life(name: &str, path: &Path) -> TaskState {
    let now = UtcDateTime::now();
    let task = Task::new().accepted(now).preparing(now);
    let (task, bytes) = match read(task, path) {
        Ok(ready) => ready,
        Err(rejected) => return show(name, &rejected),
    };
    match count(task, &bytes) {
        Ok(Count { lines, task }) => {
            println!("{name:<13} has {lines} lines");
            show(name, &task)
        }
        Err(failed) => show(name, &failed),
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(life("README.md", &folder.join("README.md")), TaskState::Complete);
    assert_eq!(life("no-such-file", &folder.join("no-such-file")), TaskState::Rejected);
    assert_eq!(life("this program", &env::current_exe()?), TaskState::Failed);

    let now = UtcDateTime::now();
    let mut task: Task<state::Accepted> = Task::new().accepted(now);
    late(&mut task);
    show("one more", &task);
    let task = call_off(task);
    show("one more", &task);

    // Neither of these lines compiles, because SHUTDOWN is a terminal state.
    //
    //     late(&mut task);
    //     call_off(task);
    assert_eq!((task.message(), task.err()), ("shutdown", None));
    Ok(())
}
