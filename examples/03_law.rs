//! The law as data: which moves there are, who makes them, and which is next.
//!
//! ```sh
//! cargo run --example 03_law
//! ```
//!
//! What the compiler holds a program to is also a table that a program can read. Here
//! it judges what somebody else has seen: states of tasks, sampled now and then. Then
//! it is asked for the other half of the law, `decide`: the next move, for each state
//! and each wish.

use onward::lifecycle::{Actor, EDGES};
use onward::{Decision, TaskState, decide};
use std::error::Error;

/// What two states of one task, seen one after the other, say about whoever moved it.
#[derive(PartialEq, Debug)]
enum Verdict {
    Same,
    /// One edge.
    Moved,
    /// Several edges; what was between was not seen.
    Jumped,
    /// No edges lead there.
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

/// Judges a history, from the names on the wire; says whether it can have been.
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

/// In how many ways a task can go from this state to an end. No path goes round, so
/// this ends too.
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
    println!("{} of them are for managers alone", managers.count());
    println!("{} ways from new to an end", ways(TaskState::New));
    println!();

    assert!(audit("new pending assigned accepted preparing ready starting running complete")?);
    assert!(audit("assigned assigned ready running failed")?);
    assert!(!audit("assigned running rejected")?, "what has run is not rejected, it has failed");
    assert!(!audit("running shutdown running")?, "a task does not go back");
    println!();

    // Every edge goes up: a state below the one before is always wrong.
    assert!(EDGES.iter().all(|edge| edge.from < edge.to));

    // Three wishes are usual: be ready, run, and end.
    let wishes = [TaskState::Ready, TaskState::Running, TaskState::Shutdown];
    println!("{:<12} {:<18} {:<18} {:<18}", "desired:", wishes[0], wishes[1], wishes[2]);
    for observed in TaskState::ALL.into_iter().filter(|state| !state.is_terminal()) {
        let [ready, running, shutdown] = wishes.map(|desired| next(observed, desired));
        println!("{observed:<12} {ready:<18} {running:<18} {shutdown:<18}");
    }
    assert_eq!(decide(TaskState::Complete, TaskState::Shutdown), Decision::Rest);
    Ok(())
}
