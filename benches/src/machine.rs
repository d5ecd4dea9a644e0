//! The machine on which the figures were measured.

use crate::report::{Report, Table};
use crate::step;
use anyhow::Result;
use std::env;
use std::fs;
use std::process::Command;
use std::thread;

pub(crate) fn run() -> Result<Report> {
    let mut table = Table::new("machine", "The machine", &["", ""]);
    let cores = thread::available_parallelism()?;
    table.row(["processor".into(), format!("{}, {cores} cores", processor())]);
    table.row(["system".into(), format!("{} {}", env::consts::OS, env::consts::ARCH)]);
    let rustc = Command::new("rustc").arg("--version").output()?;
    table.row(["compiler".into(), String::from_utf8_lossy(&rustc.stdout).trim().into()]);
    table.row(["one reading of the clock".into(), format!("{:.0} ns", step::reading())]);
    Ok(Report::of(table))
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("model name"));
    let name = lines.next().and_then(|line| line.split_once(": "));
    name.map_or("unknown", |(_, name)| name).to_owned()
}
