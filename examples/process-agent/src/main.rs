//! The program.

use std::process::ExitCode;

use agent_kit::Program;
use clap::Parser;
use process_agent::controller::ProcessExecutor;
use process_agent::keeper;

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
    agent_kit::run(PROGRAM, Arguments::parse().command, ProcessExecutor::new)
}
