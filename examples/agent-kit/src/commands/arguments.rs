//! The arguments of the subcommands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::metrics::parse_address;

/// The variable that names the state of an agent.
pub const STATE_VARIABLE: &str = "ONWARD_STATE";

/// What a program can be asked to do. For clap's `#[command(flatten)]`.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
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
        /// The agent.
        #[command(flatten)]
        state: OfAgent,
        /// Print an array of tasks in the form of the Docker Engine API.
        #[arg(long)]
        json: bool,
    },
    /// Shows what tasks have said: standard output on standard output, standard error on
    /// standard error.
    Logs(Logs),
    /// Shuts tasks down, for good: the file cannot begin them again, unless it leaves them out
    /// for once.
    Stop {
        /// The agent.
        #[command(flatten)]
        state: OfAgent,
        /// Return when they have ended, and not as soon as it is certain that they will.
        #[arg(short, long)]
        wait: bool,
        /// The tasks.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// How tasks are run.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// The file of tasks, in TOML; without it, a demo that is compiled in. With --state it is
    /// read again whenever it changes, and on SIGHUP.
    pub(super) file: Option<PathBuf>,
    /// Keep everything in DIR, and go on with what is there.
    #[arg(long, value_name = "DIR", env = STATE_VARIABLE)]
    pub(super) state: Option<PathBuf>,
    /// What becomes of the tasks when the agent is asked to end (SIGTERM, Ctrl-C); with --state.
    #[arg(long, value_enum, value_name = "WHAT", requires = "state")]
    pub(super) on_exit: Option<OnExit>,
    /// Exit with 1 if a task has failed or was rejected.
    #[arg(long)]
    pub(super) strict: bool,
    /// Show what the tasks say, line by line, instead of a table.
    #[arg(long)]
    pub(super) logs: bool,
    /// Serve metrics for Prometheus over HTTP, at /metrics, and the agent's health, at /healthz.
    /// ADDR is like 127.0.0.1:9100; a port alone is one that only this machine can reach, and
    /// port 0 stands for a free one.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub(super) metrics: Option<SocketAddr>,
}

/// What becomes of the tasks when the agent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum OnExit {
    /// They go on, and the next agent finds them; the default.
    Leave,
    /// They are shut down, and the next agent begins them anew.
    Stop,
}

/// Which logs are shown, and how.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    pub(super) state: OfAgent,
    /// Go on with what they say, until they have ended.
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Begin with the last N lines of each.
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) tail: Option<u64>,
    /// Leave out what was said before T: a time like 2026-11-22T08:33:59Z, or how long ago
    /// that was, like 10m.
    #[arg(long, value_name = "T", value_parser = since)]
    pub(super) since: Option<UtcDateTime>,
    /// Print each line as a JSON object with its task, time and stream.
    #[arg(long)]
    pub(super) json: bool,
    /// The tasks. Several are shown with their names before each line.
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
}

/// The agent that is asked.
#[derive(Clone, Debug, Args)]
pub struct OfAgent {
    /// The agent's state.
    #[arg(long = "state", value_name = "DIR", env = STATE_VARIABLE)]
    pub(super) dir: PathBuf,
}

/// Reads a time, or how long ago it was.
fn since(text: &str) -> Result<UtcDateTime, String> {
    if let Ok(at) = time::OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at.into());
    }
    let wrong = || {
        format!(
            "{text:?} is neither a time like 2026-11-22T08:33:59Z nor a duration like 10m or 1h 30m"
        )
    };
    let ago = humantime::parse_duration(text).map_err(|_| wrong())?;
    // Further back than time goes is from the beginning.
    let at = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(at.into())
}
