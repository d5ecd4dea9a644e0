//! The steps of a task with a controller that does nothing.

use crate::count;
use crate::report::{Report, Table};
use crate::rounds::{self, Measured};
use crate::scale::Scale;
use crate::text::ratio;
use crate::workload::{Workload, lives};
use allocation_counter::measure;
use anyhow::Result;
use futures::FutureExt as _;
use onward::exec::{SystemClock, WallClock};
use onward::testing::NoopController;
use onward::{AnyTask, BoxController, Controller, Outcome, TaskState, TaskStatus, step};
use std::hint::black_box;
use std::time::{Duration, Instant};
use time::UtcDateTime;

/// A clock that costs nothing.
const STILL: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "six steps and the noop, without the clock",
        each: 1,
        run: |n, live| steps(n, live, || NoopController::Ends, &STILL),
    },
    Workload { name: "the same, boxed", each: 1, run: |n, live| steps(n, live, boxed, &STILL) },
];

fn boxed() -> BoxController<()> {
    NoopController::Ends.boxed()
}

fn assigned() -> AnyTask {
    AnyTask::resume(TaskStatus::new(TaskState::Assigned))
}

/// Steps from ASSIGNED to COMPLETE, and once more.
fn live(task: &mut AnyTask, controller: &mut impl Controller, clock: &impl WallClock) {
    for _ in 0..7 {
        let outcome = step(task, TaskState::Running, controller, clock).now_or_never();
        black_box(outcome == Some(Outcome::Advanced));
    }
}

fn steps<C: Controller>(
    n: u64,
    alive: bool,
    controller: impl Fn() -> C,
    clock: &impl WallClock,
) -> Duration {
    lives(
        n,
        alive,
        || (assigned(), controller()),
        |(task, controller)| {
            live(task, controller, clock);
        },
    )
}

/// Reads the clock six times, `n` times.
fn readings(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        for _ in 0..6 {
            black_box(SystemClock.now());
        }
    }
    start.elapsed()
}

/// Returns the time for one reading of the clock in nanoseconds.
pub(crate) fn reading() -> f64 {
    let rounds = rounds::measure(21, vec![Box::new(|| readings(1_000))]);
    rounds.seconds(0) / 6e3 * 1e9
}

/// Returns the number of allocations of a life, and their bytes.
fn allocations(mut controller: impl Controller) -> (u64, u64) {
    let mut task = assigned();
    let heap = measure(|| live(&mut task, &mut controller, &STILL));
    (heap.count_total, heap.bytes_total)
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    const TASKS: u64 = 1_000;
    let measured: Vec<Measured<'_>> = vec![
        Box::new(|| readings(TASKS)),
        Box::new(|| steps(TASKS, true, || NoopController::Ends, &SystemClock)),
        Box::new(|| steps(TASKS, true, boxed, &SystemClock)),
        Box::new(|| steps(TASKS, true, || NoopController::Ends, &STILL)),
        Box::new(|| steps(TASKS, true, boxed, &STILL)),
    ];
    let rounds = rounds::measure(scale.rounds, measured);
    let mut table = Table::new(
        "step",
        "Six steps, ASSIGNED to COMPLETE, and the noop",
        &["", "time", "goal", "instructions without the clock", "allocations", "bytes"],
    );
    let (none, blank) = (|| "0".to_owned(), String::new);
    let clock = "six readings of the clock".to_owned();
    table.row([clock, ratio(1.0), blank(), blank(), none(), none()]);
    let heaps = [allocations(NoopController::Ends), allocations(boxed())];
    let names = ["`step`", "`step`, a boxed controller"];
    for (number, ((name, heap), workload)) in names.iter().zip(heaps).zip(WORKLOADS).enumerate() {
        let instructions = count::text(workload, scale.counts)?;
        let time = ratio(rounds.ratio(number + 1, 0));
        let wanted = if number == 0 { "1.50 ×, 0 allocations" } else { "7 allocations" };
        let (count, bytes) = (heap.0.to_string(), heap.1.to_string());
        table.row([(*name).into(), time, wanted.into(), instructions, count, bytes]);
        let still = ratio(rounds.ratio(number + 3, 0));
        let name = format!("{name}, without the clock");
        table.row([name, still, blank(), blank(), blank(), blank()]);
    }
    table.row([
        "SwarmKit's `Do` (3e72cb6, Go 1.25; quoted, not of this run)".into(),
        "21 µs".into(),
        blank(),
        blank(),
        "80".into(),
        "5,572".into(),
    ]);
    let six = rounds.seconds(0) / 1e3 * 1e9;
    table.note(format!(
        "Six readings of the clock took {six:.0} ns in this run. The boxed controller is called \
         seven times: `prepare`, `start`, `wait`, and an `inspect` after each of the last four steps."
    ));
    Ok(Report::of(table))
}
