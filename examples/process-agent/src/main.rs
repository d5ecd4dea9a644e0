//! The program.

use std::path::PathBuf;
use std::process::ExitCode;

use agent_kit::Program;
use clap::{Parser, Subcommand};
use process_agent::controller::ProcessExecutor;
use process_agent::keeper::{self, Stage};

const PROGRAM: Program = Program { name: "process-agent", demo: include_str!("../demo.toml") };

/// Takes operating-system processes through their lives.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Agent(agent_kit::Command),
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
        Command::Agent(command) => agent_kit::run(PROGRAM, command, ProcessExecutor::new),
        // Before there is any thread.
        Command::Keeper { keep, dir } => {
            keeper::run(&dir, if keep { Stage::Keep } else { Stage::Launch })
        }
    }
}
