//! The table of edges as data: which moves are legal, who makes them, and what `decide`
//! returns.
//!
//! ```sh
//! cargo run --example 03_law
//! ```
//!
//! The compiler checks the same table that this program reads. First the program audits
//! histories of states that were sampled now and then. Then it prints what `decide` returns
//! for each state and the usual desired states.

use onward::lifecycle::{Actor, EDGES};
use onward::{Decision, TaskState, decide};
use std::error::Error;

/// How two successive samples of a task's state relate.
#[derive(PartialEq, Debug)]
enum Verdict {
    Same,
    /// One edge leads from the first to the second.
    Moved,
    /// A path of several edges does. The states in between were not sampled.
    Jumped,
    /// No path of edges does.
    Unlawful,
}

fn judge(before: TaskState, after: TaskState) -> Verdict {
    if before == after {
        Verdict::Same
    } else if before.can_become(after) {
        Verdict::Moved
    } else if before.can_reach(after) {
        Verdict::Jumped
    } else {
        Verdict::Unlawful
    }
}

/// Audits a history of state names. Returns whether it is legal.
fn audit(history: &str) -> Result<bool, Box<dyn Error>> {
    let seen = history.split(' ').map(str::parse).collect::<Result<Vec<TaskState>, _>>()?;
    let mut lawful = true;
    println!("{history}");
    for (before, after) in seen.iter().zip(seen.iter().skip(1)) {
        let verdict = judge(*before, *after);
        if verdict == Verdict::Unlawful || verdict == Verdict::Jumped {
            println!("    {before} -> {after}: {verdict:?}");
        }
        lawful &= verdict != Verdict::Unlawful;
    }
    Ok(lawful)
}

/// The number of paths from this state to a terminal one. The recursion ends, because the
/// table has no cycles.
fn ways(state: TaskState) -> usize {
    if state.is_terminal() { 1 } else { state.successors().map(ways).sum() }
}

fn next(observed: TaskState, desired: TaskState) -> String {
    match decide(observed, desired) {
        Decision::Rest => "-".to_owned(),
        Decision::Record(event) => format!("record {}", event.kind()),
        Decision::Perform(operation) => format!("{operation}()"),
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    println!("{} edges between {} states", EDGES.len(), TaskState::ALL.len());
    let managers = EDGES.iter().filter(|edge| !edge.by.contains(&Actor::Agent));
    println!("only managers take {} of them", managers.count());
    println!("{} paths from new to a terminal state", ways(TaskState::New));
    println!();

    assert!(audit("new pending assigned accepted preparing ready starting running complete")?);
    assert!(audit("assigned assigned ready running failed")?);
    assert!(!audit("assigned running rejected")?, "a task that has run fails, it is not rejected");
    assert!(!audit("running shutdown running")?, "a task never moves back");
    println!();

    // Every edge leads to a greater state, so a lower state is always an error.
    assert!(EDGES.iter().all(|edge| edge.from < edge.to));

    // The usual desired states.
    let targets = [TaskState::Ready, TaskState::Running, TaskState::Shutdown];
    println!("{:<12} {:<18} {:<18} {:<18}", "desired:", targets[0], targets[1], targets[2]);
    for observed in TaskState::ALL.into_iter().filter(|state| !state.is_terminal()) {
        let [ready, running, shutdown] = targets.map(|desired| next(observed, desired));
        println!("{observed:<12} {ready:<18} {running:<18} {shutdown:<18}");
    }
    assert_eq!(decide(TaskState::Complete, TaskState::Shutdown), Decision::Rest);
    Ok(())
}
