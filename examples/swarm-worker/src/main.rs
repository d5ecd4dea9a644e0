//! The program `swarm-worker`.

use std::process::ExitCode;

use clap::Parser as _;
use process_agent::{keeper, process_state};
use swarm_worker::commands::{self, Arguments};

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked(std::env::args_os()) {
        return ended;
    }
    let Arguments { command } = Arguments::parse();
    process_state::take_over();
    commands::run(command)
}
