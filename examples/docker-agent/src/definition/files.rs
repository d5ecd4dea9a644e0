use serde::{Deserialize, Serialize};

/// A secret or a config, as a file of the container.
///
/// The file is in memory (on a tmpfs) and read-only. Its bytes come from
/// [`Dependencies::file`](crate::dependencies::Dependencies::file).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerFile {
    /// Secret or config. Default: `secret`.
    #[serde(default)]
    pub kind: FileKind,
    /// The id by which the agent's owner finds the bytes.
    pub source: String,
    /// The path in the container. A relative one is below `/run/secrets` for a secret, and below
    /// `/` for a config.
    pub target: String,
    /// The user that owns the file, by number. Default: 0.
    #[serde(default)]
    pub uid: u32,
    /// The group that owns the file, by number. Default: 0.
    #[serde(default)]
    pub gid: u32,
    /// The permissions. Default: `0o444`.
    #[serde(default = "default_mode")]
    pub mode: u32,
}

/// The kind of a [`ContainerFile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A secret.
    #[default]
    Secret,
    /// A config.
    Config,
}

impl ContainerFile {
    /// The absolute path in the container.
    pub fn path(&self) -> String {
        match self {
            Self { target, .. } if target.starts_with('/') => target.clone(),
            Self { kind: FileKind::Secret, target, .. } => format!("/run/secrets/{target}"),
            Self { kind: FileKind::Config, target, .. } => format!("/{target}"),
        }
    }
}

fn default_mode() -> u32 {
    0o444
}
