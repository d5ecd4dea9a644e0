//! Measures the costs of `onward`: `cargo run --release -p benches`. `docs/performance.md` explains
//! the measurements.

mod build;
mod chart;
mod child;
mod count;
mod crowd;
mod decide;
mod durable;
mod fleet;
mod idle;
mod lives;
mod machine;
mod memory;
mod report;
mod reporter;
mod rounds;
mod scale;
mod shutdown;
mod step;
mod text;
mod transition;
mod updates;
mod workload;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use report::Report;
use scale::Scale;
use std::path::Path;
use workload::Workload;

/// Measures the costs of onward, prints them, and writes them into docs/performance.md.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to measure. Default: everything.
    tables: Vec<Name>,
    /// Use fewer rounds and smaller fleets, as a trial run. Writes nothing.
    #[arg(long)]
    quick: bool,
    /// The largest number of tasks in the curves.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    tasks: u64,
    /// Write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print only the instruction counts, one line for each workload.
    Counts,
    /// Run a part of a measurement in this process.
    #[command(hide = true)]
    Part {
        name: String,
        tasks: u64,
        workload: Option<String>,
        #[arg(long)]
        live: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Name {
    Machine,
    Transition,
    Decide,
    Step,
    Shutdown,
    Lives,
    Memory,
    Crowd,
    Idle,
    Durable,
    Updates,
    Reporter,
    Build,
}

/// A part of a measurement with a number of tasks. It returns its figures.
type Part = fn(u64) -> Result<Vec<f64>>;

/// The parts that need their own process, by their names. [`child::part`] runs one.
const PARTS: [(&str, Part); 8] = [
    ("memory", memory::heap),
    ("resident", memory::resident),
    ("crowd", crowd::in_memory),
    ("crowd-in-a-file", crowd::in_file),
    ("idle", fleet::idle),
    ("lives", lives::lives),
    ("updates", updates::updates),
    ("reporter", reporter::delivered),
];

/// Returns all workloads that are timed and whose instructions are counted.
fn workloads() -> impl Iterator<Item = &'static Workload> {
    transition::WORKLOADS.iter().chain(decide::WORKLOADS).chain(step::WORKLOADS)
}

/// Runs a part, and prints its figures. The part `count` runs a workload. If `live` is false, it
/// only prepares the workload.
fn part(name: &str, tasks: u64, workload: Option<&str>, live: bool) -> Result<()> {
    if name == "count" {
        let found = workloads().find(|one| Some(one.name) == workload);
        let Workload { run, .. } = found.context("no such workload")?;
        run(tasks, live);
        return Ok(());
    }
    let found = PARTS.iter().find(|(part, _)| *part == name);
    let (_, part) = found.with_context(|| format!("no such part: {name}"))?;
    for figure in part(tasks)? {
        println!("{figure}");
    }
    Ok(())
}

impl Name {
    fn run(self, scale: &Scale) -> Result<Report> {
        match self {
            Self::Machine => machine::run(),
            Self::Transition => transition::run(scale),
            Self::Decide => decide::run(scale),
            Self::Step => step::run(scale),
            Self::Shutdown => shutdown::run(scale),
            Self::Lives => lives::run(scale),
            Self::Memory => memory::run(scale),
            Self::Crowd => crowd::run(scale),
            Self::Idle => idle::run(scale),
            Self::Durable => durable::run(scale),
            Self::Updates => updates::run(scale),
            Self::Reporter => reporter::run(scale),
            Self::Build => build::run(scale),
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Counts) => return counts(),
        Some(Command::Part { name, tasks, workload, live }) => {
            return part(name, *tasks, workload.as_deref(), *live);
        }
        None => {}
    }
    let Arguments { tables, quick, tasks, dry_run, .. } = arguments;
    let scale = Scale {
        rounds: if quick { 5 } else { 51 },
        few: if quick { 1 } else { 5 },
        crowd: if quick { 10_000 } else { 100_000 },
        tasks: if quick { tasks.min(10_000) } else { tasks },
        counts: count::is_there()?,
    };
    if !scale.counts {
        println!("skipped: instruction counts: there is no valgrind\n");
    }
    let all = Name::value_variants();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for name in if tables.is_empty() { all } else { &tables } {
        let report = name.run(&scale)?;
        report.print();
        if !quick && !dry_run {
            report.write(&docs)?;
        }
    }
    Ok(())
}

/// Prints the instructions of every workload, for a test.
fn counts() -> Result<()> {
    if !count::is_there()? {
        println!("skipped: instruction counts: there is no valgrind");
        return Ok(());
    }
    for workload in workloads() {
        println!("{:.1}\t{}", count::instructions(workload)?, workload.name);
    }
    Ok(())
}
