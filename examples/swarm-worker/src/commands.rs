//! The subcommands of the program.

mod arguments;
mod join;
mod leave;
mod run;
mod runtime;
mod shown;

use std::process::ExitCode;

use agent_kit::{Program, run_client};
pub use arguments::{Arguments, Command, Join, Leave, Run, RuntimeKind};

/// The name of the program.
pub const PROGRAM: Program = Program { name: "swarm-worker", demo: "" };

/// The exit code if the node was removed from the swarm.
const REMOVED: u8 = 4;

/// The exit code if something of a task is left.
const LEFT: u8 = 3;

/// Runs a subcommand, and returns the exit code of the program.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Join(arguments) => join::join(&arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Leave(arguments) => leave::leave(&arguments),
        Command::Client(command) => return run_client(PROGRAM, command),
    };
    done.unwrap_or_else(|error| {
        PROGRAM.complain(&format!("{error:#}"));
        ExitCode::from(2)
    })
}
