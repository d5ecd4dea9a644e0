//! Counts instructions: runs this program under callgrind.

use crate::workload::Workload;
use anyhow::{Context as _, Result, ensure};
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// How many times a workload runs under callgrind.
const TIMES: u64 = 500;

/// Whether callgrind is installed.
pub(crate) fn is_there() -> Result<bool> {
    match Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("valgrind"),
    }
}

/// Returns the number of instructions per counted item of a workload, without its preparation.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn instructions(workload: &Workload) -> Result<f64> {
    let (live, rest) = (collected(workload, true)?, collected(workload, false)?);
    Ok(live.saturating_sub(rest) as f64 / (TIMES * u64::from(workload.each)) as f64)
}

/// Returns all instructions of a process that runs the workload, or that only prepares it.
fn collected(workload: &Workload, live: bool) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["part", "count", &TIMES.to_string(), workload.name])
        .args(live.then_some("--live"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "callgrind: {text}");
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = line.with_context(|| format!("callgrind has counted nothing: {text}"))?;
    Ok(number.trim().parse()?)
}

/// Formats the instructions as the cell of a table.
pub(crate) fn text(workload: &Workload, is_there: bool) -> Result<String> {
    if is_there { Ok(format!("{:.1}", instructions(workload)?)) } else { Ok("skipped".into()) }
}
