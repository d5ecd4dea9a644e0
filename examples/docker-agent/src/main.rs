//! The program `docker-agent`.

use std::process::ExitCode;

use agent_kit::{Command, Program};
use clap::Parser;
use docker_agent::agent::AgentExecutor;
use docker_agent::demo;
use docker_agent::engine::Engine;
use process_agent::program;

const PROGRAM: Program = Program { name: "docker-agent", demo: demo::TASKS };

/// Runs containers of a Docker engine, and operating-system processes, as tasks.
///
/// The engine is the one at the address in `DOCKER_HOST`. Default: `unix:///var/run/docker.sock`.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    program::run(PROGRAM, || Arguments::parse().command, run)
}

fn run(program: Program, command: Command) -> ExitCode {
    let engine = Engine::from_env();
    if matches!(&command, Command::Run(run) if run.is_demo())
        && let Err(error) = demo::prepare(&engine)
    {
        program.complain(&format!("{error:#}"));
        return ExitCode::from(2);
    }
    agent_kit::run(program, command, |dir| AgentExecutor::new(engine, dir))
}
