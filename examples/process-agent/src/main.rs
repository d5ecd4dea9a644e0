//! The program `process-agent`.

use std::process::ExitCode;

use agent_kit::Program;
use clap::Parser;
use process_agent::controller::ProcessExecutor;
use process_agent::program;

const PROGRAM: Program = Program { name: "process-agent", demo: include_str!("../demo.toml") };

/// Runs operating-system processes as tasks.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: agent_kit::Command,
}

fn main() -> ExitCode {
    program::run(
        PROGRAM,
        || Arguments::parse().command,
        |program, command| agent_kit::run(program, command, ProcessExecutor::new),
    )
}
