//! Parts of a measurement that need a process of their own: this program, run again.

use crate::workload::{self, Workload};
use crate::{fleet, lives, memory, reporter, updates};
use anyhow::{Context as _, Result, bail, ensure};
use std::process::Command;

/// Has a part done in a process of its own, and gives the figures that it printed.
pub(crate) fn part(name: &str, tasks: u64) -> Result<Vec<f64>> {
    let output =
        Command::new(std::env::current_exe()?).args(["part", name, &tasks.to_string()]).output()?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().map(|word| word.parse().context(name.to_owned())).collect()
}

/// Does such a part, and prints its figures. A workload that is not to be `live` is only got
/// ready for.
pub(crate) fn run(name: &str, tasks: u64, workload: Option<&str>, live: bool) -> Result<()> {
    let figures = match name {
        "memory" => memory::heap(tasks)?,
        "resident" => memory::resident(tasks)?,
        "idle" => fleet::idle(tasks)?,
        "lives" => lives::lives(tasks)?,
        "updates" => updates::updates(tasks)?,
        "reporter" => reporter::delivered(tasks)?,
        "count" => {
            let found = workload::all().find(|one| Some(one.name) == workload);
            let Workload { run, .. } = found.context("no such workload")?;
            run(tasks, live);
            Vec::new()
        }
        _ => bail!("no such part: {name}"),
    };
    for figure in figures {
        println!("{figure}");
    }
    Ok(())
}
