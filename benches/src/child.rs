//! Runs parts of a measurement in a process of their own: this program, started again.

use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// Runs a part in its own process, and returns the figures that it printed.
pub(crate) fn part(name: &str, tasks: u64) -> Result<Vec<f64>> {
    let output =
        Command::new(std::env::current_exe()?).args(["part", name, &tasks.to_string()]).output()?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().map(|word| word.parse().context(name.to_owned())).collect()
}
