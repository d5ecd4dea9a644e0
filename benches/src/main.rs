//! What `onward` costs: `cargo run --release -p benches`. `docs/performance.md` says what is
//! measured, and how.

mod build;
mod chart;
mod child;
mod count;
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
mod shutdown;
mod step;
mod transition;
mod updates;
mod workload;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use report::Report;
use std::path::Path;

/// Measures what onward costs, prints it, and writes it into the pages of docs/.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to measure; without any, everything.
    tables: Vec<Name>,
    /// Fewer rounds and smaller fleets, to see whether it works; nothing is written.
    #[arg(long)]
    quick: bool,
    /// How many tasks the curves go up to.
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
    /// Counts instructions, and nothing else: a line for each workload.
    Counts,
    /// Does a part of a measurement, in a process of its own.
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
    Idle,
    Durable,
    Updates,
    Reporter,
    Build,
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
            Self::Idle => idle::run(scale),
            Self::Durable => durable::run(scale),
            Self::Updates => updates::run(scale),
            Self::Reporter => reporter::run(scale),
            Self::Build => build::run(scale),
        }
    }
}

/// How much is measured.
#[derive(Debug)]
struct Scale {
    /// Rounds of what is short.
    rounds: usize,
    /// Rounds of what is long.
    few: usize,
    /// How many tasks there are where there are many.
    crowd: u64,
    /// How many tasks the curves go up to.
    tasks: u64,
    /// Whether instructions can be counted.
    counts: bool,
}

impl Scale {
    /// How many tasks there are at each point of a curve.
    fn sizes(&self) -> impl Iterator<Item = u64> {
        let sizes = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
        sizes.into_iter().filter(|tasks| *tasks <= self.tasks)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Counts) => return counts(),
        Some(Command::Part { name, tasks, workload, live }) => {
            return child::run(name, *tasks, workload.as_deref(), *live);
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
    for workload in workload::all() {
        println!("{:.1}\t{}", count::instructions(workload)?, workload.name);
    }
    Ok(())
}

/// A number with its thousands apart.
fn thousands(number: u64) -> String {
    u32::try_from(number).map_or_else(|_| number.to_string(), |small| report::whole(small.into()))
}
