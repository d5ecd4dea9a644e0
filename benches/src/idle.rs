//! The processor time of idle running tasks.

use crate::child;
use crate::report::{Report, Table};
use crate::scale::Scale;
use crate::text::{thousands, whole};
use anyhow::Result;

/// One tick of the kernel's accounting, in milliseconds.
const TICK: f64 = 10.0;

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "idle",
        "The processor's time in five seconds in which nothing happens",
        &["running tasks", "ms", "ticks of 10 ms"],
    );
    for tasks in [0, scale.crowd] {
        let ms = child::part("idle", tasks)?.first().copied().unwrap_or(f64::NAN);
        let ticks = (ms / TICK).floor();
        table.row([thousands(tasks), format!("{ms:.2}"), whole(ticks)]);
    }
    Ok(Report::of(table))
}
