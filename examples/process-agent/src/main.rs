//! The program.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use agent_kit::Program;
use clap::{Parser, Subcommand};
use process_agent::controller::ProcessExecutor;
use process_agent::keeper::{self, Stage};
use process_agent::{init, process_state};

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
    let command = Arguments::parse().command;
    if matches!(command, Command::Agent(agent_kit::Command::Run(_))) && init::is_process_1() {
        // The agent proper is its child.
        return init::run().unwrap_or_else(|error| {
            _ = writeln!(io::stderr(), "{}: as process 1: {error}", PROGRAM.name);
            ExitCode::from(2)
        });
    }
    // Before there is any thread.
    process_state::take_over();
    match command {
        Command::Agent(command) => agent_kit::run(PROGRAM, command, ProcessExecutor::new),
        Command::Keeper { keep, dir } => {
            keeper::run(&dir, if keep { Stage::Keep } else { Stage::Launch })
        }
    }
}
