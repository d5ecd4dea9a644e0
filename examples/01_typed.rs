//! A task whose state is a type: what is not an edge does not compile.
//!
//! ```sh
//! cargo run --example 01_typed
//! ```
//!
//! Three tasks count the lines of a file each: of one that is text, of one that is
//! not there, and of one that is not text. Nowhere is there a question about the
//! state: it stands in the type of every variable, argument and field.

use onward::lifecycle::{Edge, Live};
use onward::{Failure, State, Task, TaskState, state};
use std::error::Error;
use std::path::Path;
use std::{env, fs};
use time::UtcDateTime;

/// Preparing is reading. A task that fails at that was never ready: it is rejected,
/// and the result has no third case.
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

/// The lines of a file. Whoever has this has a task that is complete: there is no
/// other way to make one.
struct Count {
    lines: usize,
    task: Task<state::Complete>,
}

/// Each move takes the task, and gives it back in its next state. The old one is gone.
fn count(task: Task<state::Ready>, bytes: &[u8]) -> Result<Count, Task<state::Failed>> {
    let task = task.starting(UtcDateTime::now()).started(UtcDateTime::now());
    match str::from_utf8(bytes) {
        Ok(text) => {
            Ok(Count { lines: text.lines().count(), task: task.finished(UtcDateTime::now()) })
        }
        Err(error) => Err(task.failed(Failure::new(error.to_string()), UtcDateTime::now())),
    }
}

/// Any state from which an edge leads to SHUTDOWN.
fn call_off<S: Edge<state::Shutdown>>(task: Task<S>) -> Task<state::Shutdown> {
    task.shut_down(UtcDateTime::now())
}

/// Any state that has not ended: a note that the task is late, which does not move it.
fn late<S: Live>(task: &mut Task<S>) {
    task.delayed(Failure::new("the disk is slow"), UtcDateTime::now());
}

/// Any state at all; `S::VALUE` is the same state as a value.
fn show<S: State>(name: &str, task: &Task<S>) -> TaskState {
    println!("{name:<13} {:<9} {:<9} {}", S::VALUE, task.message(), task.err().unwrap_or_default());
    S::VALUE
}

/// A task's whole life, and how it ended.
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
    // Neither of these compiles: nothing happens to a task that has ended.
    //
    //     late(&mut task);
    //     call_off(task);
    assert_eq!((task.message(), task.err()), ("shutdown", None));
    Ok(())
}
