//! Definition of a container task: the keys of its `[[task]]` table.

mod files;
mod health;
mod limits;
mod mount;
mod network;
mod privileges;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agent_kit::values;
use onward::exec::ControllerError;
use serde::{Deserialize, Serialize};

use crate::name::is_container_name;

pub use files::{ContainerFile, FileKind};
pub use health::HealthCheck;
pub(crate) use health::{TEST_FORM, is_test};
pub use limits::{Cpus, Resources, Ulimit};
pub use mount::{BindMount, Mount, Propagation, TmpfsMount, VolumeMount};
pub use network::{Dns, Network, Port, Subnet};
pub use privileges::{AppArmor, Privileges, SeLinux, Seccomp};
pub(crate) use text::{container_spec, is_image, some_label_of_agent};

/// One container to run: its image, its command, and all options that the engine has for it.
///
/// Values are checked where that needs no engine: the image has a name, ports are in 1..=65535.
/// The engine checks the rest when the container is created, and its error names the option.
///
/// Nothing in a definition is secret, since a definition is stored and shown. It names secrets
/// and configs in [`files`](Self::files); their bytes come from
/// [`Dependencies`](crate::dependencies::Dependencies).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerDefinition {
    /// The image, with a tag or a digest. Without either, the tag is `latest`.
    #[serde(deserialize_with = "text::image")]
    pub image: String,
    /// When the image is pulled. Default: `missing`.
    #[serde(default)]
    pub pull: PullPolicy,
    /// The platform of the image, for example `linux/arm64`. Default: that of the engine.
    #[serde(default)]
    pub platform: Option<String>,
    /// The name of the container. Default: a name made of the agent's id and the task's.
    #[serde(default, deserialize_with = "text::some_container_name")]
    pub container_name: Option<String>,
    /// Replaces the image's entry point. Default: the image's.
    #[serde(default, deserialize_with = "values::words")]
    pub command: Vec<String>,
    /// Replaces the image's default arguments. Default: the image's, unless there is a `command`.
    #[serde(default, deserialize_with = "values::words")]
    pub args: Vec<String>,
    /// Environment variables, in addition to the image's.
    #[serde(default, deserialize_with = "values::env")]
    pub env: BTreeMap<String, String>,
    /// Environment variables of the image that the container does not get.
    #[serde(default)]
    pub env_remove: Vec<String>,
    /// A file of lines `NAME=value`, read when the container is created. `env` takes precedence.
    #[serde(default, deserialize_with = "values::some_path")]
    pub env_file: Option<PathBuf>,
    /// The working directory. Default: the image's.
    #[serde(default)]
    pub dir: Option<String>,
    /// The user, and after a colon the group, by name or number. Default: the image's.
    #[serde(default)]
    pub user: Option<String>,
    /// Further groups of the user, by name or number.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The host name. Default: the begin of the container's id.
    #[serde(default)]
    pub hostname: Option<String>,
    /// The domain name. Default: none.
    #[serde(default)]
    pub domainname: Option<String>,
    /// Entries of `/etc/hosts`, each `name:address`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Name servers. Default: the engine's.
    #[serde(default)]
    pub dns: Dns,
    /// Directories and files of the host, volumes, and file systems in memory.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// The networks. Default: the engine's default network.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// The ports that the container publishes on its host.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// How the engine finds out whether the container is healthy. Default: the image's check.
    #[serde(default)]
    pub healthcheck: Option<HealthCheck>,
    /// The signal that asks the container to stop, by name or number. Default: the image's, or
    /// `SIGTERM`.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// The time between the stop signal and `SIGKILL`, rounded up to seconds. Default: 10 s.
    #[serde(default = "default_stop_grace", with = "values::duration")]
    pub stop_grace: Duration,
    /// Whether process 1 is an init that forwards signals and reaps processes. Default: the
    /// engine's setting.
    #[serde(default)]
    pub init: Option<bool>,
    /// Whether the output goes through a terminal. Default: no.
    #[serde(default)]
    pub tty: bool,
    /// Whether standard input stays open. Default: no.
    #[serde(default)]
    pub open_stdin: bool,
    /// Whether the root file system is read-only. Default: no.
    #[serde(default)]
    pub read_only: bool,
    /// Capabilities in addition to the engine's defaults, for example `CAP_NET_ADMIN`.
    #[serde(default)]
    pub capability_add: Vec<String>,
    /// Capabilities of the engine's defaults that the container does not get.
    #[serde(default)]
    pub capability_drop: Vec<String>,
    /// Seccomp, `AppArmor`, `SELinux`, and whether processes may gain privileges.
    #[serde(default)]
    pub privileges: Privileges,
    /// Kernel parameters, for example `net.core.somaxconn`.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Limits of each process.
    #[serde(default)]
    pub ulimits: Vec<Ulimit>,
    /// Limits of the whole container. They can be changed while the container runs.
    #[serde(default)]
    pub resources: Resources,
    /// How likely the kernel kills the container when memory runs out, from -1000 to 1000.
    /// Default: 0.
    #[serde(default)]
    pub oom_score_adj: Option<i64>,
    /// Where the output goes. Default: the engine's setting.
    #[serde(default)]
    pub log_driver: Option<LogDriver>,
    /// Labels of the container, in addition to the agent's own, which begin with `dev.onward.`.
    #[serde(default, deserialize_with = "text::labels")]
    pub labels: BTreeMap<String, String>,
    /// Secrets and configs, as files of the container that are kept in memory.
    #[serde(default)]
    pub files: Vec<ContainerFile>,
    /// How the container is isolated. Default: `default`. The others are for Windows, and are
    /// refused: this agent runs Linux containers.
    #[serde(default)]
    pub isolation: Isolation,
}

/// The keys of a definition, in the order of its fields.
pub const KEYS: [&str; 37] = [
    "image",
    "pull",
    "platform",
    "container_name",
    "command",
    "args",
    "env",
    "env_remove",
    "env_file",
    "dir",
    "user",
    "groups",
    "hostname",
    "domainname",
    "hosts",
    "dns",
    "mounts",
    "networks",
    "ports",
    "healthcheck",
    "stop_signal",
    "stop_grace",
    "init",
    "tty",
    "open_stdin",
    "read_only",
    "capability_add",
    "capability_drop",
    "privileges",
    "sysctls",
    "ulimits",
    "resources",
    "oom_score_adj",
    "log_driver",
    "labels",
    "files",
    "isolation",
];

impl DockerDefinition {
    /// A definition with this image and the defaults for all else.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            pull: PullPolicy::default(),
            platform: None,
            container_name: None,
            command: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            env_remove: Vec::new(),
            env_file: None,
            dir: None,
            user: None,
            groups: Vec::new(),
            hostname: None,
            domainname: None,
            hosts: Vec::new(),
            dns: Dns::default(),
            mounts: Vec::new(),
            networks: Vec::new(),
            ports: Vec::new(),
            healthcheck: None,
            stop_signal: None,
            stop_grace: default_stop_grace(),
            init: None,
            tty: false,
            open_stdin: false,
            read_only: false,
            capability_add: Vec::new(),
            capability_drop: Vec::new(),
            privileges: Privileges::default(),
            sysctls: BTreeMap::new(),
            ulimits: Vec::new(),
            resources: Resources::default(),
            oom_score_adj: None,
            log_driver: None,
            labels: BTreeMap::new(),
            files: Vec::new(),
            isolation: Isolation::default(),
        }
    }

    /// Checks the image and the container's name, which become part of a request's path.
    pub(crate) fn check(&self) -> Result<(), ControllerError> {
        let Self { image, container_name, .. } = self;
        if !text::is_image(image) {
            return Err(ControllerError::new(format!("{image:?} is no image")));
        }
        match container_name {
            Some(name) if !is_container_name(name) => {
                Err(ControllerError::new(format!("{name:?} cannot be a container's name")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The same with these arguments.
    #[must_use]
    pub fn with_args<S: Into<String>>(self, args: impl IntoIterator<Item = S>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect(), ..self }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// Each time a task is prepared.
    Always,
    /// If the engine does not have it.
    #[default]
    Missing,
    /// Never. The task is rejected if the engine does not have it.
    Never,
}

/// Where the output of a container goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogDriver {
    /// The engine's name of the driver, for example `json-file`.
    pub name: String,
    /// Options of the driver, for example `max-size`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// How a container is isolated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// As the engine does it; the only one on Linux.
    #[default]
    Default,
    /// As a process of Windows.
    Process,
    /// In a virtual machine of Hyper-V.
    HyperV,
}

fn default_stop_grace() -> Duration {
    Duration::from_secs(10)
}

#[cfg(test)]
mod tests;
