//! The subcommands of an agent's program, one module each.

mod arguments;
mod logs;
mod ps;
mod run;
mod stdout;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::kind::{FileDefinition, TaskExecutor};
use crate::program::Program;
pub use arguments::{ClientCommand, Command, Logs, OfAgent, Run, STATE_VARIABLE};

/// Runs a subcommand, and returns the exit code of the program.
///
/// `executor` gets the directory in which tasks keep their files. The directory exists, and only
/// the user of the agent can enter it. Only that user and root can replace it.
#[must_use]
pub fn run<E: TaskExecutor<Definition: FileDefinition> + 'static>(
    program: Program,
    command: Command,
    executor: impl FnOnce(PathBuf) -> E,
) -> ExitCode {
    match command {
        Command::Run(arguments) => exit_code(program, run::run(program, arguments, executor)),
        Command::Client(command) => run_client(program, command),
    }
}

/// Runs a subcommand that talks to a running agent, and returns the exit code of the program.
#[must_use]
pub fn run_client(program: Program, command: ClientCommand) -> ExitCode {
    let done = match command {
        ClientCommand::Ps { state, json } => ps::ps(program, &state.dir, json),
        ClientCommand::Logs(arguments) => logs::logs(program, arguments),
        ClientCommand::Stop { state, wait, names } => stop::stop(program, &state.dir, names, wait),
    };
    exit_code(program, done)
}

/// Prints the error of a subcommand, if it failed.
fn exit_code(program: Program, done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        program.complain(&format!("{error:#}"));
        ExitCode::from(2)
    })
}
