//! The decision of the next operation, by the library and by hand.

use crate::count;
use crate::report::{Report, Table};
use crate::rounds::{self, Measured};
use crate::scale::Scale;
use crate::text::ratio;
use crate::workload::Workload;
use anyhow::{Result, ensure};
use onward::{Decision, Event, Operation, TaskState, decide};
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "a `match` by hand", each: 196, run: |n, live| pairs(n, live, by_hand) },
    Workload { name: "`decide`", each: 196, run: |n, live| pairs(n, live, library) },
];

#[inline(never)]
fn library(observed: TaskState, desired: TaskState) -> Decision {
    decide(observed, desired)
}

/// What a user would write instead: a table, as a `match`.
#[inline(never)]
fn by_hand(observed: TaskState, desired: TaskState) -> Decision {
    use TaskState::{
        Accepted, Assigned, Complete, Failed, New, Orphaned, Pending, Preparing, Ready, Rejected,
        Remove, Running, Shutdown, Starting,
    };
    match (observed, desired) {
        (
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running,
            Shutdown | Failed | Rejected | Remove | Orphaned,
        ) => Decision::Perform(Operation::Shutdown),
        (
            New,
            Pending | Assigned | Accepted | Preparing | Ready | Starting | Running | Complete,
        )
        | (Pending, Assigned | Accepted | Preparing | Ready | Starting | Running | Complete)
        | (Assigned, Accepted | Preparing | Ready | Starting | Running | Complete) => {
            Decision::Record(Event::Accepted)
        }
        (Accepted, Preparing | Ready | Starting | Running | Complete) => {
            Decision::Record(Event::Preparing)
        }
        (Preparing, Preparing | Ready | Starting | Running | Complete) => {
            Decision::Perform(Operation::Prepare)
        }
        (Ready, Starting | Running | Complete) => Decision::Record(Event::Starting),
        (Starting, Starting | Running | Complete) => Decision::Perform(Operation::Start),
        (Running, Running | Complete) => Decision::Perform(Operation::Wait),
        _ => Decision::Rest,
    }
}

/// Decides for every pair of states.
fn pairs(n: u64, live: bool, decide: impl Fn(TaskState, TaskState) -> Decision) -> Duration {
    let start = Instant::now();
    for _ in 0..if black_box(live) { n } else { 0 } {
        for observed in black_box(TaskState::ALL) {
            for desired in black_box(TaskState::ALL) {
                drop(black_box(decide(observed, desired)));
            }
        }
    }
    start.elapsed()
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    for (observed, desired) in pairs_of_states() {
        ensure!(library(observed, desired) == by_hand(observed, desired), "{observed} {desired}");
    }
    let timed = |workload: &'static Workload| -> Measured<'_> {
        Box::new(move || (workload.run)(1_000, true))
    };
    let rounds = rounds::measure(scale.rounds, WORKLOADS.iter().map(timed).collect());
    let mut table = Table::new(
        "decide",
        "What to do next, over all 196 pairs of states",
        &["", "instructions", "time"],
    );
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let instructions = count::text(workload, scale.counts)?;
        table.row([workload.name.to_owned(), instructions, ratio(rounds.ratio(number, 0))]);
    }
    let each = rounds.seconds(0) / 196e3 * 1e9;
    table.note(format!("A decision by hand took {each:.1} ns in this run."));
    Ok(Report::of(table))
}

fn pairs_of_states() -> impl Iterator<Item = (TaskState, TaskState)> {
    TaskState::ALL.into_iter().flat_map(|one| TaskState::ALL.map(|other| (one, other)))
}
