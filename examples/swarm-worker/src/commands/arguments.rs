//! The command-line arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_kit::ClientCommand;
use agent_kit::commands::STATE_VARIABLE;
use agent_kit::http::HttpArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::connection::Address;
use crate::token::JoinToken;
use crate::wire::node_spec::Availability;

/// A worker of a Docker Swarm.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes this machine a node of a swarm.
    ///
    /// Exit codes: 0 if the node was made, 2 if not.
    Join(Join),
    /// Runs the tasks that the swarm assigns to this node, until you stop it with SIGTERM or Ctrl-C.
    /// The tasks keep running then, and the next `run` finds them.
    ///
    /// Exit codes: 0 if it was stopped; 2 if the state or an argument cannot be used; 4 if the node
    /// was removed from the swarm. The tasks are ended then.
    Run(Run),
    /// Ends the tasks of this node, and forgets its key. `run` must be stopped first.
    ///
    /// The manager lists the node as down: remove it there with `docker node rm`.
    ///
    /// Exit codes: 0; 2 if the state cannot be used; 3 if a task cannot be ended. The key is kept
    /// then, and you can try again.
    Leave(Leave),
    /// The subcommands that talk to a running worker.
    #[command(flatten)]
    Client(ClientCommand),
}

/// The arguments of `join`.
#[derive(Debug, Args)]
pub struct Join {
    /// The join token of the swarm. `docker swarm join-token worker` prints it on a manager.
    #[arg(long, value_name = "TOKEN", env = "SWARM_JOIN_TOKEN", hide_env_values = true)]
    pub(super) token: String,
    /// The address of a manager, such as 192.0.2.1:2377. Default of the port: 2377.
    #[arg(value_name = "ADDR")]
    pub(super) manager: Address,
    /// Whether the node gets tasks at once.
    #[arg(long, value_enum, default_value_t = Wanted::Active)]
    pub(super) availability: Wanted,
    /// The state directory.
    #[command(flatten)]
    pub(super) state: InState,
}

impl Join {
    /// Reads the token. clap would print a wrong one in its error.
    pub(super) fn token(&self) -> Result<JoinToken, crate::token::TokenError> {
        self.token.parse()
    }
}

/// The availability of a new node.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Wanted {
    /// The node gets tasks.
    Active,
    /// The node gets no new tasks.
    Pause,
    /// The node gets no tasks.
    Drain,
}

impl From<Wanted> for Availability {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Active => Self::Active,
            Wanted::Pause => Self::Pause,
            Wanted::Drain => Self::Drain,
        }
    }
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The state directory.
    #[command(flatten)]
    pub(super) state: InState,
    /// What the tasks are.
    #[command(flatten)]
    pub(super) runtime: RuntimeArguments,
    /// Whether and where the worker serves HTTP.
    #[command(flatten)]
    pub(super) http: HttpArguments,
    /// The name of the node. Default: the host name of the engine.
    #[arg(long, value_name = "NAME")]
    pub(super) hostname: Option<String>,
    /// A label of the engine, for constraints such as `engine.labels.disk==ssd`. Can be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(super) labels: Vec<(String, String)>,
    /// A generic resource, such as `gpu=2` or `gpu=GPU-1`. Can be repeated.
    #[arg(long = "generic-resource", value_name = "KIND=VALUE")]
    pub(super) generic_resources: Vec<String>,
}

impl Run {
    /// Returns the labels. If a key is repeated, the last one counts.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }
}

/// The arguments of `run` that `leave` must know, too.
#[derive(Clone, Debug, PartialEq, Eq, Args, Serialize, Deserialize)]
pub(super) struct RuntimeArguments {
    /// What runs the tasks.
    #[arg(long, value_enum, default_value_t = RuntimeKind::Docker)]
    pub(super) runtime: RuntimeKind,
    /// The address of the engine. Default: that in `DOCKER_HOST`, or else
    /// `unix:///var/run/docker.sock`.
    #[arg(long, value_name = "URI")]
    pub(super) docker_host: Option<String>,
    /// The TOML file with the commands that services may run, for `--runtime process`. The image of
    /// a service is the name of an entry.
    #[arg(long, value_name = "FILE", required_if_eq("runtime", "process"))]
    pub(super) commands: Option<PathBuf>,
}

/// What runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// Containers of a Docker engine.
    Docker,
    /// Processes of this machine.
    Process,
    /// Nothing: each task is running until the manager ends it. For load tests.
    Noop,
}

/// The arguments of `leave`.
#[derive(Debug, Args)]
pub struct Leave {
    /// The state directory.
    #[command(flatten)]
    pub(super) state: InState,
}

/// The argument that names a state directory.
#[derive(Debug, Args)]
pub(super) struct InState {
    /// The directory with the key of the node and its tasks.
    #[arg(long = "state", value_name = "DIR", env = STATE_VARIABLE)]
    pub(super) dir: PathBuf,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("{text:?} is no label; write KEY=VALUE")),
    }
}
