//! The program: for now only the keeper's side of it.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use process_agent::keeper::{self, Stage};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Holds the workload of the task in DIR; started by the agent.
    #[command(hide = true)]
    Keeper {
        /// Be the keeper, instead of starting it.
        #[arg(long)]
        keep: bool,
        /// The task's directory.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Keeper { keep, dir } => {
            let stage = if keep { Stage::Keep } else { Stage::Launch };
            keeper::run(&dir, stage)
        }
    }
}
