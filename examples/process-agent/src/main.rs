//! The program `process-agent`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use agent_kit::Program;
use clap::Parser;
use process_agent::controller::ProcessExecutor;
use process_agent::keeper;
use process_agent::{init, process_state};

const PROGRAM: Program = Program { name: "process-agent", demo: include_str!("../demo.toml") };

/// Runs operating-system processes as tasks.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: agent_kit::Command,
}

fn main() -> ExitCode {
    // Before there are any threads, and before anything else allocates memory.
    if let Some(ended) = keeper::run_if_asked(std::env::args_os()) {
        return ended;
    }
    let command = Arguments::parse().command;
    if matches!(command, agent_kit::Command::Run(_)) && init::is_process_1() {
        // The agent is the child of this process.
        return init::run().unwrap_or_else(|error| {
            _ = writeln!(io::stderr(), "{}: cannot run as process 1: {error}", PROGRAM.name);
            ExitCode::from(2)
        });
    }
    process_state::take_over();
    agent_kit::run(PROGRAM, command, ProcessExecutor::new)
}
