//! Compares the library with recorded behavior.
//!
//! ```sh
//! cargo run --release --example conformance -- cases     FILE
//! cargo run --release --example conformance -- scenarios FILE
//! cargo run --release --example conformance -- statuses  FILE
//! cargo run --release --example conformance -- worlds    FILE
//! ```
//!
//! Each mode reads JSON lines from the file (`-` is standard input). For each line it writes
//! one JSON line to standard output, in the same order:
//!
//! - `cases`: one `step` or one `resolve` with the controller of the case. The result is
//!   compared with the expectations of the case.
//! - `scenarios`: a task's whole life under the driver, in virtual time, with the
//!   controller and the requests of the scenario.
//! - `statuses`: a task's status, decoded and printed again.
//! - `worlds`: an agent with several tasks, in virtual time. Its store can fail, a
//!   manager sends it messages, and it can crash and come back.
//!
//! For a line that cannot be read it writes `{"error":"line N: …"}`. At the end it writes the
//! totals to standard error. The exit code is 1 if a line could not be read or an
//! expectation was missed.

#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/jsonl.rs"]
mod jsonl;
#[path = "conformance/scenarios.rs"]
mod scenarios;
#[path = "conformance/scripted.rs"]
mod scripted;
#[path = "conformance/worlds.rs"]
mod worlds;

use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;

const USAGE: &str =
    "usage: conformance cases|scenarios|statuses|worlds FILE    (`-` is standard input)";

/// The result of a line: its answer in JSON and the expectations that it missed, or the reason
/// why it cannot be read.
pub(crate) type Answer = Result<(String, Vec<String>), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (mode, file): (fn(&str) -> Answer, _) = match args.as_slice() {
        [mode, file] if mode == "cases" => (case, file),
        [mode, file] if mode == "scenarios" => (scenario, file),
        [mode, file] if mode == "statuses" => (status, file),
        [mode, file] if mode == "worlds" => (world, file),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match open(file).and_then(|input| run(mode, input, io::stdout().lock())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::from(2)
        }
    }
}

fn open(file: &str) -> io::Result<Box<dyn BufRead>> {
    Ok(match file {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(BufReader::new(File::open(path)?)),
    })
}

/// Runs one scenario.
pub(crate) fn scenario(line: &str) -> Answer {
    scenarios::run(line)
}

/// Runs one world.
pub(crate) fn world(line: &str) -> Answer {
    worlds::run(line)
}

/// Answers every line. Returns whether all could be read and none missed an expectation.
pub(crate) fn run(
    mode: fn(&str) -> Answer,
    input: impl BufRead,
    output: impl Write,
) -> io::Result<bool> {
    let mut output = io::BufWriter::new(output);
    let (mut lines, mut unreadable, mut missed) = (0, 0, 0);
    for line in input.split(b'\n') {
        lines += 1;
        let read = match str::from_utf8(&line?) {
            Ok(text) => mode(text),
            Err(error) => Err(format!("byte {}: not UTF-8", error.valid_up_to() + 1)),
        };
        let answer = match read {
            Ok((answer, unmet)) => {
                missed += usize::from(!unmet.is_empty());
                for what in unmet {
                    eprintln!("line {lines}: {what}");
                }
                answer
            }
            Err(error) => {
                unreadable += 1;
                json!({ "error": format!("line {lines}: {error}") }).to_string()
            }
        };
        writeln!(output, "{answer}")?;
    }
    output.flush()?;
    let agreed = lines - unreadable - missed;
    eprintln!("{lines} lines: {agreed} agreed, {missed} missed, {unreadable} unreadable");
    Ok(unreadable + missed == 0)
}

/// The mode `cases`.
pub(crate) fn case(line: &str) -> Answer {
    cases::check(line)
}

/// The mode `statuses`: the library reads and prints a status.
pub(crate) fn status(line: &str) -> Answer {
    let status: onward::lifecycle::TaskStatus = jsonl::read(line)?;
    let printed = serde_json::to_string(&status).map_err(|error| error.to_string())?;
    Ok((printed, Vec::new()))
}
