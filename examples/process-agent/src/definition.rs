//! The definition of a process task: all keys of a `[[task]]` that agent-kit does not handle.

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
use agent_kit::{Definition, FileDefinition, Keys};
use onward::lifecycle::Protocol;
use serde::{Deserialize, Serialize};

pub use readiness::{Probe, Readiness};

/// A process to run, and how to start, check and stop it.
///
/// A value has passed all checks that do not depend on the machine. For example, the command is not
/// empty, the signal exists, and ports are in 1..=65535.
/// [`Keeper::prepare`](crate::keeper::Keeper::prepare) checks whether the executable exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessDefinition {
    /// The executable and its arguments. The executable is looked up on `PATH` unless it has a
    /// slash. For a relative path, see [`resolve_paths`](Self::resolve_paths).
    #[serde(deserialize_with = "values::command")]
    pub command: Vec<String>,
    /// Variables to add to the [environment](crate::process_state) that the agent was started with.
    #[serde(default, deserialize_with = "values::env")]
    pub env: BTreeMap<String, String>,
    /// The working directory. Default: a directory of the task's own. A relative path is [made
    /// absolute](Self::resolve_paths) when the definition is read from a file.
    #[serde(default, deserialize_with = "values::some_path")]
    pub dir: Option<PathBuf>,
    /// The signal that asks the processes of the task to end. Default: `TERM`.
    #[serde(default)]
    pub stop_signal: StopSignal,
    /// Time between the stop signal and `KILL`. Default: 10 s.
    #[serde(default = "default_stop_grace", with = "values::duration")]
    pub stop_grace: Duration,
    /// A command that must succeed before the task is started. Exit code 75 (`EX_TEMPFAIL`) means
    /// that it should be retried.
    #[serde(default, deserialize_with = "values::some_command")]
    pub prepare: Option<Vec<String>>,
    /// The readiness check. Default: the task is ready at once.
    #[serde(default)]
    pub ready: Option<Readiness>,
    /// Size in bytes at which the log is rotated: 4096 to 2^60. Default: 10 MiB.
    #[serde(default = "default_log_max_size", with = "log_limits::size")]
    pub log_max_size: u64,
    /// The number of rotated files to keep, at most 1000. Default: 3.
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
    fn container_spec(&self) -> serde_json::Value {
        let Self { command, env, dir, stop_signal, stop_grace, .. } = self;
        let spec = ContainerSpec {
            command,
            env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            dir: dir.as_deref(),
            stop_signal: format!("SIG{stop_signal}"),
            stop_grace_period: u64::try_from(stop_grace.as_nanos()).unwrap_or(u64::MAX),
        };
        // A path that is not UTF-8 has no JSON form, and no definition contains one.
        serde_json::to_value(spec).unwrap_or_default()
    }
}

impl FileDefinition for ProcessDefinition {
    fn keys(_: &[&str]) -> Keys {
        Keys { known: &KEYS, required: &[("command", "[\"sleep\", \"60\"]")] }
    }

    /// `dir` is relative to `base`. The executables of `command`, `prepare` and `ready.command` are
    /// relative to `dir`, or to `base` if there is no `dir`, if they have a slash. So a definition
    /// means the same as changing to the directory and typing the command. An executable without a
    /// slash is looked up on `PATH`. Arguments are not changed.
    fn resolve_paths(&mut self, base: &Path) {
        paths::resolve(self, base);
    }
}

/// A process in the form of the Engine API: a container without an image.
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
    /// Makes a definition with this command, and the default of every other key.
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

/// A port that the task listens on, and the port that clients connect to.
///
/// A process uses the network of its host. So the two differ only if another program forwards
/// between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "RawPort")]
pub struct PublishedPort {
    /// The purpose of the port, such as `http`.
    pub name: String,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port that the task listens on. Default: the published port.
    pub target: NonZeroU16,
    /// The port that clients connect to.
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
    fn keys_lists_the_fields_that_serde_knows() {
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
    fn a_definition_is_read_from_toml_and_survives_json() {
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
