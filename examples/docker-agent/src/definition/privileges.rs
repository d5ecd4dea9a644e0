use serde::{Deserialize, Serialize};

/// Privileges of the processes of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privileges {
    /// Whether the container has all capabilities and devices of its host. Default: no.
    pub privileged: bool,
    /// Whether processes can gain no privileges, for example by set-user-id programs. Default:
    /// they can.
    pub no_new_privileges: bool,
    /// The filter of system calls. Default: the engine's.
    pub seccomp: Option<Seccomp>,
    /// The `AppArmor` profile. Default: the engine's.
    pub apparmor: Option<AppArmor>,
    /// The `SELinux` context. Default: the engine's.
    pub selinux: Option<SeLinux>,
    /// A credential spec of Windows. It is refused: this agent runs Linux containers.
    pub credential_spec: Option<String>,
}

/// The filter of system calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seccomp {
    /// The engine's profile.
    Default,
    /// No filter.
    Unconfined,
    /// A profile, as the text of its JSON.
    Custom(String),
}

/// The `AppArmor` profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppArmor {
    /// The engine's profile.
    Default,
    /// No profile.
    Disabled,
    /// A profile that is loaded on the host, by name.
    Profile(String),
}

/// The `SELinux` context: it is disabled, or has these parts. A part that is absent is the
/// engine's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // SELinux's names
pub struct SeLinux {
    pub disable: bool,
    pub user: Option<String>,
    pub role: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub level: Option<String>,
}
