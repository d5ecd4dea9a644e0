//! One transition: typed, erased and refused, compared with other libraries.

use crate::count;
use crate::report::{Report, Table};
use crate::rounds::{self, Measured};
use crate::scale::Scale;
use crate::text::ratio;
use crate::workload::{Workload, lives, loops};
use anyhow::Result;
use onward::lifecycle::InvalidTransitionError;
use onward::{AnyTask, Event, Task, TaskState, TaskStatus, state};
use std::hint::black_box;
use std::mem;
use std::time::Duration;
use time::UtcDateTime;

/// The events from NEW to COMPLETE, with or without a time.
macro_rules! events {
    ($($event:ident)::+ $(($at:expr))?) => {
        [
            Some($($event)::+::Allocated $(($at))?),
            Some($($event)::+::Assigned $(($at))?),
            Some($($event)::+::Accepted $(($at))?),
            Some($($event)::+::Preparing $(($at))?),
            Some($($event)::+::Prepared $(($at))?),
            Some($($event)::+::Starting $(($at))?),
            Some($($event)::+::Started $(($at))?),
            Some($($event)::+::Finished $(($at))?),
        ]
    };
}

mod bare;
mod looped;
mod writing;

macro_rules! workloads {
    ($($name:literal $run:expr)*) => {
        &[$(Workload { name: $name, each: 8, run: $run }),*]
    };
}

pub(crate) const WORKLOADS: &[Workload] = workloads! {
    "a call that does nothing" writing::contests::nothing
    "a call of `advance` that does nothing" nothing
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
    "a loop that does nothing" looped::nothing
    "onward, `apply`, in a loop" apply_in_a_loop
    "onward, `advance`, in a loop" advance_in_a_loop
    "onward, refused, in a loop" refused_in_a_loop
    "plain `match`, in a loop" looped::plain
    "statum, an enum by hand, in a loop" looped::statum
    "statig, in a loop" looped::statig
    "rust-fsm, in a loop" looped::rust_fsm
    "smlang, in a loop" looped::smlang
    "plain `match`, bare" bare::contests::plain
    "statum, typed, bare" bare::contests::statum_typed
    "statum, an enum by hand, bare" bare::contests::statum_any
    "statig, bare" bare::contests::statig
    "rust-fsm, bare" bare::contests::rust_fsm
    "smlang, bare" bare::contests::smlang
};

/// Makes a task that already has its record. The record is allocated once per task, not per
/// transition.
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

/// The extra cost of a call of `advance`: a larger event, and a result.
fn nothing(n: u64, live: bool) -> Duration {
    #[inline(never)]
    fn advance(
        _: &mut AnyTask,
        event: Event,
        _: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        mem::forget(event);
        black_box(Ok(()))
    }
    lives(
        n,
        live,
        || task(TaskState::New),
        |task| {
            let at = black_box(UtcDateTime::UNIX_EPOCH);
            let moved = advance(task, black_box(Event::Allocated), at).is_ok()
                & advance(task, black_box(Event::Assigned), at).is_ok()
                & advance(task, black_box(Event::Accepted), at).is_ok()
                & advance(task, black_box(Event::Preparing), at).is_ok()
                & advance(task, black_box(Event::Prepared), at).is_ok()
                & advance(task, black_box(Event::Starting), at).is_ok()
                & advance(task, black_box(Event::Started), at).is_ok()
                & advance(task, black_box(Event::Finished), at).is_ok();
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

fn apply_in_a_loop(n: u64, live: bool) -> Duration {
    let at = black_box(UtcDateTime::UNIX_EPOCH);
    let fresh = || (Some(task(TaskState::New)), events!(Event));
    loops(n, live, fresh, |place, event| {
        let Some(task) = mem::take(place) else { return };
        *place = Some(task.apply(event, at).unwrap_or_else(|refused| refused.task));
    })
}

fn advance_in_a_loop(n: u64, live: bool) -> Duration {
    let at = black_box(UtcDateTime::UNIX_EPOCH);
    let fresh = || (task(TaskState::New), events!(Event));
    loops(n, live, fresh, |task, event| _ = task.advance(event, at).is_ok())
}

fn refused_in_a_loop(n: u64, live: bool) -> Duration {
    let at = black_box(UtcDateTime::UNIX_EPOCH);
    let fresh = || (task(TaskState::Complete), events!(Event));
    loops(n, live, fresh, |task, event| _ = task.advance(event, at).is_ok())
}

/// Returns the goal for the instructions, without those of an empty call of the same form.
fn goal(name: &str) -> &'static str {
    match name {
        "onward, typed" => "12",
        "onward, `apply`" | "onward, `advance`" | "onward, refused" => "32",
        _ => "",
    }
}

/// The row that the other times are compared with.
const REFERENCE: &str = "plain `match`";

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let lives = 1_000;
    let timed = |workload: &'static Workload| -> Measured<'_> {
        Box::new(move || (workload.run)(lives, true))
    };
    let rounds = rounds::measure(scale.rounds, WORKLOADS.iter().map(timed).collect());
    let reference = WORKLOADS.iter().position(|one| one.name == REFERENCE).unwrap_or_default();

    let head = ["", "instructions", "goal", "time"];
    let mut table = Table::new("transition", "One transition", &head);
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let instructions = count::text(workload, scale.counts)?;
        let time = ratio(rounds.ratio(number, reference));
        let name = workload.name;
        table.row([name.to_owned(), instructions, goal(name).to_owned(), time]);
    }
    let each = rounds.seconds(reference) / 8e3 * 1e9;
    table.note(format!(
        "A transition by {REFERENCE} took {each:.1} ns in this run. A goal does not include the call \
         itself: `a call that does nothing` for the typed form, that of `advance` for the others."
    ));
    Ok(Report::of(table))
}
