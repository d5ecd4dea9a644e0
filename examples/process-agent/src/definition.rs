//! What a process task is, as a user writes it and as a keeper reads it.

mod log_limits;
mod paths;
mod readiness;

use std::{
    collections::BTreeMap,
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
};

use agent_kit::values::{self, StopSignal};
use agent_kit::{Definition, Keys};
use onward::lifecycle::Protocol;
use serde::{Deserialize, Serialize};

pub use readiness::{Probe, Readiness};

/// One process to run, and how it is to be started, watched and stopped.
///
/// What a value of this type says has been checked where it could be checked without
/// looking at the machine: the command has a first word, the signal exists, ports are
/// in 1..=65535. Whether the executable is there is checked by
/// [`Keeper::prepare`](crate::keeper::Keeper::prepare).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessDefinition {
    /// The executable and its arguments. Looked up on `PATH` unless it has a slash; with a relative
    /// path, see [`resolve_paths`](Self::resolve_paths).
    #[serde(deserialize_with = "values::command")]
    pub command: Vec<String>,
    /// Variables set in addition to the [environment](crate::process_state) that the agent was
    /// started with.
    #[serde(default, deserialize_with = "values::env")]
    pub env: BTreeMap<String, String>,
    /// Working directory; one of the task's own when absent. A relative one is
    /// [made absolute](Self::resolve_paths) when the definition is read from a file.
    #[serde(default, deserialize_with = "values::some_path")]
    pub dir: Option<PathBuf>,
    /// The signal that asks the task to end.
    #[serde(default)]
    pub stop_signal: StopSignal,
    /// Time between the stop signal and `KILL`.
    #[serde(default = "default_stop_grace", with = "values::duration")]
    pub stop_grace: Duration,
    /// A command that must succeed before the task is started. Exit code 75
    /// (`EX_TEMPFAIL`) means that it should be tried again later.
    #[serde(default, deserialize_with = "values::some_command")]
    pub prepare: Option<Vec<String>>,
    /// How to find out that the task is ready; ready at once when absent.
    #[serde(default)]
    pub ready: Option<Readiness>,
    /// Bytes after which the log is rotated; at least 4096 and at most 2^60.
    #[serde(default = "default_log_max_size", with = "log_limits::size")]
    pub log_max_size: u64,
    /// How many rotated files are kept beside the current one; at most 1000.
    #[serde(default = "default_log_files", deserialize_with = "log_limits::files")]
    pub log_files: u32,
    /// The ports that the task publishes.
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
}

/// The keys of a definition, in the order of its fields.
pub const KEYS: [&str; 10] = [
    "command",
    "env",
    "dir",
    "stop_signal",
    "stop_grace",
    "prepare",
    "ready",
    "log_max_size",
    "log_files",
    "ports",
];

impl Definition for ProcessDefinition {
    fn keys(_: &[&str]) -> Keys {
        Keys { known: &KEYS, required: &[("command", "[\"sleep\", \"60\"]")] }
    }

    /// `dir` is relative to `base`. The first word of a command (`command`, `prepare` and
    /// `ready.command`), if it has a slash and is relative, is relative to `dir`, or to `base` if
    /// there is no `dir`. So a definition means what a user would do by hand: change to the
    /// directory, then type the command. A word without a slash is looked up on `PATH`, and the
    /// arguments of a command stay as they are.
    fn resolve_paths(&mut self, base: &Path) {
        paths::resolve(self, base);
    }

    fn container_spec(&self) -> serde_json::Value {
        let Self { command, env, dir, stop_signal, stop_grace, .. } = self;
        let spec = ContainerSpec {
            command,
            env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            dir: dir.as_deref(),
            stop_signal: format!("SIG{stop_signal}"),
            stop_grace_period: u64::try_from(stop_grace.as_nanos()).unwrap_or(u64::MAX),
        };
        // A path that is no text has no form there, and no definition has one.
        serde_json::to_value(spec).unwrap_or_default()
    }
}

/// A process in the Engine API's words: a container without an image.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerSpec<'a> {
    command: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<&'a Path>,
    stop_signal: String,
    /// In nanoseconds.
    stop_grace_period: u64,
}

impl ProcessDefinition {
    /// A definition with this command and the defaults for all else.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            dir: None,
            stop_signal: StopSignal::default(),
            stop_grace: default_stop_grace(),
            prepare: None,
            ready: None,
            log_max_size: default_log_max_size(),
            log_files: default_log_files(),
            ports: Vec::new(),
        }
    }
}

/// A port that the task listens on, and the one by which others reach it.
///
/// A process shares its host's network, so the two differ only when something outside
/// of the agent forwards between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "RawPort")]
pub struct PublishedPort {
    /// What the port is for, like `http`.
    pub name: String,
    /// The transport.
    pub protocol: Protocol,
    /// Where the task listens; the published port when absent in the text.
    pub target: NonZeroU16,
    /// Where others connect.
    pub published: NonZeroU16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPort {
    name: String,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default, deserialize_with = "values::some_port")]
    target: Option<NonZeroU16>,
    #[serde(deserialize_with = "values::port")]
    published: NonZeroU16,
}

impl From<RawPort> for PublishedPort {
    fn from(raw: RawPort) -> Self {
        Self {
            name: raw.name,
            protocol: raw.protocol,
            target: raw.target.unwrap_or(raw.published),
            published: raw.published,
        }
    }
}

fn default_stop_grace() -> Duration {
    Duration::from_secs(10)
}

fn default_log_max_size() -> u64 {
    10 * 1024 * 1024
}

fn default_log_files() -> u32 {
    3
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_that_serde_knows() {
        let text = toml::from_str::<ProcessDefinition>("command = ['x']\nxxx = 1").unwrap_err();
        let known = KEYS.map(|key| format!("`{key}`")).join(", ");
        assert!(text.to_string().contains(&known), "{text}");
    }

    #[test]
    fn a_command_alone_gets_the_defaults() {
        let read: ProcessDefinition = toml::from_str("command = ['sleep', '1']").unwrap();
        assert_eq!(read, ProcessDefinition::new(["sleep", "1"]));
    }

    #[test]
    fn everything_survives_toml_and_json() {
        let text = r#"
            command = ["web", "--port", "80"]
            env = { A = "1" }
            dir = "/srv"
            stop_signal = "SIGINT"
            stop_grace = "1m 500ms"
            prepare = ["true"]
            ready = { tcp = "127.0.0.1:8080", interval = "1s" }
            log_max_size = "64KiB"
            log_files = 0
            ports = [{ name = "http", published = 80 }, { name = "dns", protocol = "udp", target = 5353, published = 53 }]
        "#;
        let read: ProcessDefinition = toml::from_str(text).unwrap();
        assert_eq!(read.stop_grace, Duration::from_millis(60_500));
        assert_eq!(read.log_max_size, 65_536);
        assert_eq!(read.ports.first().unwrap().target.get(), 80);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<ProcessDefinition>(&json).unwrap(), read);
        let toml = toml::to_string(&read).unwrap();
        assert_eq!(toml::from_str::<ProcessDefinition>(&toml).unwrap(), read);
    }
}
