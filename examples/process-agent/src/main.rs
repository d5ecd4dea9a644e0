//! The program.

mod commands;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use commands::{logs, ps, run, stop};
use process_agent::keeper::{self, Stage};

/// Takes operating-system processes through their lives.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the tasks of a file.
    ///
    /// Without --state until all of them have ended: Ctrl-C asks every task to shut down and
    /// waits for it; a second one kills. With --state until it is told to end; then DIR has
    /// everything that an agent must know to go on, even if this one is killed.
    ///
    /// Exits with 0, whatever the tasks' ends were; with 2 when the file or the state cannot be
    /// used; with 3 when something of a task is left.
    Run(Run),
    /// Shows the tasks of a running agent.
    Ps {
        #[command(flatten)]
        state: OfAgent,
        /// Print an array of tasks in the form of the Docker Engine API.
        #[arg(long)]
        json: bool,
    },
    /// Shows what tasks have said: standard output on standard output, standard error on
    /// standard error.
    Logs {
        #[command(flatten)]
        state: OfAgent,
        /// Go on with what they say, until they have ended.
        #[arg(short, long)]
        follow: bool,
        /// Begin with the last N lines of each.
        #[arg(short = 'n', long, value_name = "N")]
        tail: Option<u64>,
        /// Leave out what was said before T: a time like 2026-11-22T08:33:59Z, or how long ago
        /// that was, like 10m.
        #[arg(long, value_name = "T", value_parser = logs::since)]
        since: Option<time::UtcDateTime>,
        /// The tasks. Several are shown with their names before each line.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Shuts tasks down, for good: the file cannot begin them again, unless it leaves them out
    /// for once.
    Stop {
        #[command(flatten)]
        state: OfAgent,
        /// Return when they have ended, and not as soon as it is certain that they will.
        #[arg(short, long)]
        wait: bool,
        /// The tasks.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Holds the workload of the task in DIR; started by the agent.
    #[command(hide = true)]
    Keeper {
        /// Be the keeper, instead of starting it.
        #[arg(long)]
        keep: bool,
        /// The task's directory.
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// The file of tasks, in TOML; without it, a demo that is compiled in. With --state it is
    /// read again whenever it changes, and on SIGHUP.
    file: Option<PathBuf>,
    /// Keep everything in DIR, and go on with what is there.
    #[arg(long, value_name = "DIR", env = "PROCESS_AGENT_STATE")]
    state: Option<PathBuf>,
    /// What becomes of the tasks when the agent is asked to end (SIGTERM, Ctrl-C); with --state.
    #[arg(long, value_enum, value_name = "WHAT", requires = "state")]
    on_exit: Option<OnExit>,
    /// Exit with 1 if a task has failed or was rejected.
    #[arg(long)]
    strict: bool,
    /// Show what the tasks say, line by line, instead of a table.
    #[arg(long)]
    logs: bool,
}

/// What becomes of the tasks when the agent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum OnExit {
    /// They go on, and the next agent finds them; the default.
    Leave,
    /// They are shut down, and the next agent begins them anew.
    Stop,
}

#[derive(Debug, Args)]
struct OfAgent {
    /// The agent's state.
    #[arg(long = "state", value_name = "DIR", env = "PROCESS_AGENT_STATE")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        // Before there is any thread.
        Command::Keeper { keep, dir } => {
            return keeper::run(&dir, if keep { Stage::Keep } else { Stage::Launch });
        }
        Command::Run(arguments) => run::run(arguments),
        Command::Ps { state, json } => ps::ps(&state.dir, json),
        Command::Logs { state, follow, tail, since, names } => {
            logs::logs(&state.dir, follow, tail, since, names)
        }
        Command::Stop { state, wait, names } => stop::stop(&state.dir, names, wait),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(2)
    })
}

/// Not by `eprintln`, which panics where standard error cannot be written to.
fn complain(text: &str) {
    _ = writeln!(std::io::stderr(), "process-agent: {text}");
}
