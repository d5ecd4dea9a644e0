//! The time from a shutdown order to the call of the controller's `shutdown`.

use crate::fleet::Fleet;
use crate::report::{Report, Table};
use crate::scale::Scale;
use crate::text::{thousands, whole};
use anyhow::Result;
use hdrhistogram::Histogram;
use std::thread;
use std::time::Duration;

/// How many tasks are shut down one by one.
const SAMPLES: u64 = 1_000;

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "shutdown",
        "From \"shut down\" to the call of `shutdown`",
        &["", "median", "99 %", "longest"],
    );
    let mut alone = Histogram::new(3)?;
    let mut fleet = Fleet::running(0)?;
    for sample in 0..usize::try_from(SAMPLES)? {
        fleet.add(1)?;
        let_rest();
        record(&mut alone, fleet.shut_down(sample)?)?;
    }
    drop(fleet);
    table.row(row("one task, alone".into(), &alone));
    table.row(["goal".into(), "50 µs".into(), "1,000 µs".into(), String::new()]);

    let mut among = Histogram::new(3)?;
    let fleet = Fleet::running(scale.crowd)?;
    let crowd = usize::try_from(scale.crowd)?;
    for sample in 0..usize::try_from(SAMPLES)?.min(crowd) {
        let_rest();
        // The tasks of two samples are far apart.
        record(&mut among, fleet.shut_down(sample * 7919 % crowd)?)?;
    }
    table.row(row(format!("one task, among {} running ones", thousands(scale.crowd)), &among));
    drop(fleet);

    let fleet = Fleet::running(scale.crowd)?;
    let storm = fleet.shut_down_all()?;
    table.row([
        format!("all {} at once, until the last is called", thousands(scale.crowd)),
        micros(storm),
        String::new(),
        String::new(),
    ]);
    table.row([
        "the same, for each task".into(),
        micros(storm.div_f64(f64::from(u32::try_from(scale.crowd)?))),
        String::new(),
        String::new(),
    ]);
    table.row([
        "SwarmKit (3e72cb6, Go 1.25; quoted, not of this run)".into(),
        "1,000,000 µs".into(),
        String::new(),
        String::new(),
    ]);
    Ok(Report::of(table))
}

/// Waits until the worker threads sleep, as they do before most orders.
fn let_rest() {
    thread::sleep(Duration::from_millis(1));
}

fn record(histogram: &mut Histogram<u64>, took: Duration) -> Result<()> {
    histogram.record(u64::try_from(took.as_nanos())?)?;
    Ok(())
}

fn row(name: String, histogram: &Histogram<u64>) -> [String; 4] {
    let nanos = |nanos| micros(Duration::from_nanos(nanos));
    [
        name,
        nanos(histogram.value_at_quantile(0.5)),
        nanos(histogram.value_at_quantile(0.99)),
        nanos(histogram.max()),
    ]
}

fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let text = if micros < 100.0 { format!("{micros:.1}") } else { whole(micros) };
    format!("{text} µs")
}
