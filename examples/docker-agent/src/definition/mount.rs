use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text::some_size;

/// Something that is mounted into the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[serde(expecting = "a table such as { type = \"bind\", source = \"/data\", target = \"/data\" }")]
pub enum Mount {
    /// A directory or a file of the host.
    Bind(BindMount),
    /// A volume of the engine.
    Volume(VolumeMount),
    /// A file system in memory.
    Tmpfs(TmpfsMount),
}

/// A directory or a file of the host in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // the engine's
pub struct BindMount {
    /// The path on the engine's host. It must exist. A relative one is relative to the task file.
    pub source: PathBuf,
    /// The path in the container.
    pub target: String,
    /// Whether the container can only read it. Default: no.
    #[serde(default)]
    pub read_only: bool,
    /// How mounts below it are shared with the host. Default: `rprivate`.
    #[serde(default)]
    pub propagation: Option<Propagation>,
    /// Whether mounts below it are left out. Default: no.
    #[serde(default)]
    pub non_recursive: bool,
    /// Whether a source that does not exist is created as a directory. Default: no. Engines
    /// before version 23 ignore it.
    #[serde(default)]
    pub create_source: bool,
    /// With `read_only`: whether mounts below it stay writable. Default: no.
    #[serde(default)]
    pub read_only_non_recursive: bool,
    /// With `read_only`: whether the engine must make mounts below it read-only. Default: no.
    /// Needs an engine of version 25.
    #[serde(default)]
    pub read_only_force_recursive: bool,
    /// A hint for engines on macOS: `consistent`, `cached` or `delegated`.
    #[serde(default)]
    pub consistency: Option<String>,
}

/// How mounts below a bind mount are shared with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the kernel's names
pub enum Propagation {
    Private,
    RPrivate,
    Shared,
    RShared,
    Slave,
    RSlave,
}

/// A volume of the engine in the container.
///
/// A volume with a `source` is kept when the task is removed. One without is removed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeMount {
    /// The name of the volume. The engine creates one that it does not have. Default: a new
    /// volume without a name.
    #[serde(default)]
    pub source: Option<String>,
    /// The path in the container.
    pub target: String,
    /// Whether the container can only read it. Default: no.
    #[serde(default)]
    pub read_only: bool,
    /// Whether an empty volume stays empty. Default: it gets the files that the image has at the
    /// target.
    #[serde(default)]
    pub no_copy: bool,
    /// Labels of a volume that is created.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The driver of a volume that is created. Default: the engine's, `local`.
    #[serde(default)]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default)]
    pub driver_options: BTreeMap<String, String>,
    /// A path in the volume that is mounted instead of all of it. Needs an engine of version 26.
    #[serde(default)]
    pub subpath: Option<String>,
}

/// A file system in memory in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TmpfsMount {
    /// The path in the container.
    pub target: String,
    /// Whether the container can only read it. Default: no.
    #[serde(default)]
    pub read_only: bool,
    /// The most bytes that it holds. Default: no limit.
    #[serde(default, with = "some_size")]
    pub size: Option<i64>,
    /// The permissions of its root, for example `0o1777`. Default: `0o1777`.
    #[serde(default)]
    pub mode: Option<u32>,
    /// Further mount options, each `name` or `name=value`. Needs an engine of version 27.
    #[serde(default)]
    pub options: Vec<String>,
}
