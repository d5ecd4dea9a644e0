//! The main function of a program that runs process tasks.

use std::io::{self, Write as _};
use std::process::ExitCode;

use agent_kit::{Command, Program};

use crate::{init, keeper, process_state};

/// Runs the program: as the keeper of a task if an agent has started it as one, and otherwise as an
/// agent.
///
/// Call it first in `main`, before there are any threads and before anything else allocates memory.
/// `parse` parses the arguments. `agent` then carries out the command. If the program is process 1
/// of a container, its child does that.
#[must_use]
pub fn run(
    program: Program,
    parse: impl FnOnce() -> Command,
    agent: impl FnOnce(Program, Command) -> ExitCode,
) -> ExitCode {
    if let Some(ended) = keeper::run_if_asked(std::env::args_os()) {
        return ended;
    }
    let command = parse();
    if matches!(command, Command::Run(_)) && init::is_process_1() {
        return init::run().unwrap_or_else(|error| {
            _ = writeln!(io::stderr(), "{}: cannot run as process 1: {error}", program.name);
            ExitCode::from(2)
        });
    }
    process_state::take_over();
    agent(program, command)
}
