//! The security options of a service.

use agent_kit::Problem;

use super::item::Item;
use crate::definition::{AppArmor, Privileges, SeLinux, Seccomp};

/// Reads one entry of `security_opt`.
pub(super) fn option(item: &Item<'_>, privileges: &mut Privileges) -> Result<(), Problem> {
    let text = item.text()?;
    let (name, value) = text.split_once(['=', ':']).unwrap_or((&text, ""));
    match (name, value) {
        ("no-new-privileges", "" | "true") => privileges.no_new_privileges = true,
        ("no-new-privileges", "false") => privileges.no_new_privileges = false,
        ("seccomp", "unconfined") => privileges.seccomp = Some(Seccomp::Unconfined),
        ("seccomp", "builtin") => privileges.seccomp = Some(Seccomp::Default),
        ("seccomp", _) => {
            return Err(item.problem(
                "the file of a seccomp profile is not read; write seccomp:unconfined or leave it out",
            ));
        }
        ("apparmor", "unconfined") => privileges.apparmor = Some(AppArmor::Disabled),
        ("apparmor", profile) if !profile.is_empty() => {
            privileges.apparmor = Some(AppArmor::Profile(profile.to_owned()));
        }
        ("label", label) => {
            let selinux = privileges.selinux.get_or_insert_with(SeLinux::default);
            let (part, value) = label.split_once(':').unwrap_or((label, ""));
            let value = Some(value.to_owned());
            match part {
                "disable" => selinux.disable = true,
                "user" => selinux.user = value,
                "role" => selinux.role = value,
                "type" => selinux.kind = value,
                "level" => selinux.level = value,
                _ => return Err(item.wrong(&text, "label:disable or label:type:name")),
            }
        }
        _ => {
            return Err(item.problem(format!(
                "the option {text:?} has no counterpart here; known are no-new-privileges, seccomp, \
                 apparmor and label"
            )));
        }
    }
    Ok(())
}
