//! The command-line arguments of the subcommands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use time::UtcDateTime;

use crate::http::HttpArguments;
use crate::logs::parse_since;

/// The environment variable with the state directory. It stands for `--state`.
pub const STATE_VARIABLE: &str = "ONWARD_STATE";

/// The subcommands of an agent's program. Use it with clap's `#[command(flatten)]` or
/// `#[command(subcommand)]`.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Runs the tasks of a file.
    ///
    /// Without --state: runs until all tasks have ended. Ctrl-C shuts all tasks down; a second Ctrl-C
    /// kills them.
    ///
    /// With --state: runs until you stop it. DIR contains everything that must survive the agent, so
    /// that the next agent can continue.
    ///
    /// Exit codes: 0 however the tasks ended; 1 with --strict if a task failed; 2 if the file, the
    /// state or an argument cannot be used; 3 if something of a task is left.
    Run(Run),
    /// The subcommands that talk to a running agent.
    #[command(flatten)]
    Client(ClientCommand),
}

/// The subcommands that talk to a running agent. Use it with clap's `#[command(flatten)]`.
#[derive(Clone, Debug, Subcommand)]
pub enum ClientCommand {
    /// Lists the tasks of a running agent.
    Ps {
        /// The agent.
        #[command(flatten)]
        state: OfAgent,
        /// Print a JSON array of tasks, in the form of the Docker Engine API.
        #[arg(long)]
        json: bool,
    },
    /// Prints the logs of tasks: their standard output to standard output, their standard error to
    /// standard error.
    Logs(Logs),
    /// Shuts tasks down for good. An agent with a task file starts a task again if you delete it from
    /// the file, save, and add it again.
    Stop {
        /// The agent.
        #[command(flatten)]
        state: OfAgent,
        /// Return when the tasks have ended. Default: return when the order is stored.
        #[arg(short, long)]
        wait: bool,
        /// The names of the tasks.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// The arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The task file, in TOML. Default: a built-in demo. With --state, the agent reads the file
    /// again when it changes, and on SIGHUP.
    pub(super) file: Option<PathBuf>,
    /// Keep everything in DIR, and continue with the tasks that are there.
    #[arg(long, value_name = "DIR", env = STATE_VARIABLE)]
    pub(super) state: Option<PathBuf>,
    /// What happens to the tasks when the agent is stopped by SIGTERM or Ctrl-C. Needs --state.
    /// Default: leave.
    #[arg(long, value_enum, value_name = "WHAT", requires = "state")]
    pub(super) on_exit: Option<OnExit>,
    /// Exit with 1 if a task has failed or was rejected.
    #[arg(long)]
    pub(super) strict: bool,
    /// Print the output of the tasks line by line instead of a table.
    #[arg(long)]
    pub(super) logs: bool,
    /// Whether and where the agent serves HTTP.
    #[command(flatten)]
    pub(super) http: HttpArguments,
}

impl Run {
    /// Whether this runs the built-in demo.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.file.is_none() && self.state.is_none()
    }
}

/// What happens to the tasks when the agent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum OnExit {
    /// The tasks keep running, and the next agent finds them. This is the default.
    Leave,
    /// The tasks are shut down, and the next agent starts them again.
    Stop,
}

/// The arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    pub(super) state: OfAgent,
    /// Keep printing new lines until the tasks have ended.
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Start with the last N lines of each task. Default: all lines.
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) tail: Option<u64>,
    /// Print only lines since T: a time such as 2026-11-22T08:33:59Z, or a duration before now,
    /// such as 10m.
    #[arg(long, value_name = "T", value_parser = parse_since)]
    pub(super) since: Option<UtcDateTime>,
    /// Print each line as a JSON object with its task, time and stream.
    #[arg(long)]
    pub(super) json: bool,
    /// The names of the tasks. With several tasks, each line starts with the name of its task.
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
}

/// The argument that names a running agent.
#[derive(Clone, Debug, Args)]
pub struct OfAgent {
    /// The state directory of the agent.
    #[arg(long = "state", value_name = "DIR", env = STATE_VARIABLE)]
    pub(super) dir: PathBuf,
}
