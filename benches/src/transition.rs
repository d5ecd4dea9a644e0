//! One transition: typed, erased and refused, beside what one would take instead.

mod bare;
mod writing;

use crate::report::{Report, Table, ratio};
use crate::rounds::{self, Measured};
use crate::workload::{Workload, lives};
use crate::{Scale, count};
use anyhow::Result;
use onward::{AnyTask, Event, Task, TaskState, TaskStatus, state};
use std::hint::black_box;
use std::mem;
use std::time::Duration;
use time::UtcDateTime;

macro_rules! workloads {
    ($($name:literal $run:expr)*) => {
        &[$(Workload { name: $name, each: 8, run: $run }),*]
    };
}

pub(crate) const WORKLOADS: &[Workload] = workloads! {
    "a call that does nothing" writing::contests::nothing
    "onward, typed" typed
    "onward, `apply`" apply
    "onward, `advance`" advance
    "onward, refused" refused
    "plain `match`" writing::contests::plain
    "statum, typed" writing::contests::statum_typed
    "statum, an enum by hand" writing::contests::statum_any
    "statig" writing::contests::statig
    "rust-fsm" writing::contests::rust_fsm
    "smlang" writing::contests::smlang
    "plain `match`, bare" bare::contests::plain
    "statum, typed, bare" bare::contests::statum_typed
    "statum, an enum by hand, bare" bare::contests::statum_any
    "statig, bare" bare::contests::statig
    "rust-fsm, bare" bare::contests::rust_fsm
    "smlang, bare" bare::contests::smlang
};

/// A task that has its record: it is made once a task, not once a transition.
fn task(state: TaskState) -> AnyTask {
    AnyTask::resume(TaskStatus::new(state))
}

fn typed(n: u64, live: bool) -> Duration {
    type Ends = (Option<Task<state::New>>, Option<Task<state::Complete>>);

    let fresh = || -> Ends { (task(TaskState::New).try_into().ok(), None) };
    lives(n, live, fresh, |(new, complete)| {
        let Some(task) = new.take() else { return };
        let at = black_box(UtcDateTime::UNIX_EPOCH);
        let task = black_box(task.allocated(at));
        let task = black_box(task.assigned(at));
        let task = black_box(task.accepted(at));
        let task = black_box(task.preparing(at));
        let task = black_box(task.prepared(at));
        let task = black_box(task.starting(at));
        let task = black_box(task.started(at));
        *complete = Some(task.finished(at));
    })
}

fn apply(n: u64, live: bool) -> Duration {
    fn apply(task: AnyTask, event: Event, at: UtcDateTime) -> AnyTask {
        task.apply(event, at).unwrap_or_else(|refused| refused.task)
    }
    lives(
        n,
        live,
        || Some(task(TaskState::New)),
        |place| {
            let Some(task) = mem::take(place) else { return };
            let at = black_box(UtcDateTime::UNIX_EPOCH);
            let task = apply(task, black_box(Event::Allocated), at);
            let task = apply(task, black_box(Event::Assigned), at);
            let task = apply(task, black_box(Event::Accepted), at);
            let task = apply(task, black_box(Event::Preparing), at);
            let task = apply(task, black_box(Event::Prepared), at);
            let task = apply(task, black_box(Event::Starting), at);
            let task = apply(task, black_box(Event::Started), at);
            *place = Some(apply(task, black_box(Event::Finished), at));
        },
    )
}

fn advance(n: u64, live: bool) -> Duration {
    lives(
        n,
        live,
        || task(TaskState::New),
        |task| {
            let at = black_box(UtcDateTime::UNIX_EPOCH);
            let moved = task.advance(black_box(Event::Allocated), at).is_ok()
                & task.advance(black_box(Event::Assigned), at).is_ok()
                & task.advance(black_box(Event::Accepted), at).is_ok()
                & task.advance(black_box(Event::Preparing), at).is_ok()
                & task.advance(black_box(Event::Prepared), at).is_ok()
                & task.advance(black_box(Event::Starting), at).is_ok()
                & task.advance(black_box(Event::Started), at).is_ok()
                & task.advance(black_box(Event::Finished), at).is_ok();
            black_box(moved);
        },
    )
}

fn refused(n: u64, live: bool) -> Duration {
    lives(
        n,
        live,
        || task(TaskState::Running),
        |task| {
            let at = black_box(UtcDateTime::UNIX_EPOCH);
            for _ in 0..8 {
                black_box(task.advance(black_box(Event::Prepared), at).is_err());
            }
        },
    )
}

/// How many instructions it is to be, less those of a call that does nothing.
fn wanted(name: &str) -> &'static str {
    match name {
        "onward, typed" => "12",
        "onward, `apply`" | "onward, `advance`" | "onward, refused" => "32",
        _ => "",
    }
}

/// The row whose times are the others' measure.
const REFERENCE: &str = "plain `match`";

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let lives = 1_000;
    let timed = |workload: &'static Workload| -> Measured<'_> {
        Box::new(move || (workload.run)(lives, true))
    };
    let rounds = rounds::measure(scale.rounds, WORKLOADS.iter().map(timed).collect());
    let reference = WORKLOADS.iter().position(|one| one.name == REFERENCE).unwrap_or_default();

    let head = ["", "instructions", "wanted", "time"];
    let mut table = Table::new("transition", "One transition", &head);
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let instructions = count::text(workload, scale.counts)?;
        let time = ratio(rounds.ratio(number, reference));
        let name = workload.name;
        table.row([name.to_owned(), instructions, wanted(name).to_owned(), time]);
    }
    let each = rounds.seconds(reference) / 8e3 * 1e9;
    table.note(format!(
        "A transition by {REFERENCE} took {each:.1} ns in this run. What is wanted is at most that, \
         less the instructions of a call that does nothing."
    ));
    Ok(Report::of(table))
}
