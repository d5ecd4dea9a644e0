//! The program.

use std::io::{self, Write as _};
use std::process::ExitCode;

use agent_kit::Program;
use clap::Parser;
use process_agent::controller::ProcessExecutor;
use process_agent::keeper;
use process_agent::{init, process_state};

const PROGRAM: Program = Program { name: "process-agent", demo: include_str!("../demo.toml") };

/// Takes operating-system processes through their lives.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: agent_kit::Command,
}

fn main() -> ExitCode {
    // Before there is any thread, and before anything else takes memory.
    if let Some(ended) = keeper::run_if_asked(std::env::args_os()) {
        return ended;
    }
    let command = Arguments::parse().command;
    if matches!(command, agent_kit::Command::Run(_)) && init::is_process_1() {
        // The agent proper is its child.
        return init::run().unwrap_or_else(|error| {
            _ = writeln!(io::stderr(), "{}: as process 1: {error}", PROGRAM.name);
            ExitCode::from(2)
        });
    }
    process_state::take_over();
    agent_kit::run(PROGRAM, command, ProcessExecutor::new)
}
