//! The subcommands of an agent's program, one module each.

mod arguments;
mod logs;
mod ps;
mod run;
mod stdout;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::kind::TaskExecutor;
use crate::program::Program;
pub use arguments::{Command, Logs, OfAgent, Run, STATE_VARIABLE};

/// Runs a subcommand, and returns the exit code of the program.
///
/// `executor` gets the directory in which tasks keep their files. The directory exists, and only
/// the user of the agent can enter it. Only that user and root can replace it.
#[must_use]
pub fn run<E: TaskExecutor + 'static>(
    program: Program,
    command: Command,
    executor: impl FnOnce(PathBuf) -> E,
) -> ExitCode {
    let done = match command {
        Command::Run(arguments) => run::run(program, arguments, executor),
        Command::Ps { state, json } => ps::ps(program, &state.dir, json),
        Command::Logs(arguments) => logs::logs(program, arguments),
        Command::Stop { state, wait, names } => stop::stop(program, &state.dir, names, wait),
    };
    done.unwrap_or_else(|error| {
        program.complain(&format!("{error:#}"));
        ExitCode::from(2)
    })
}
