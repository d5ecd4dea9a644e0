//! Privileges in the words of the Engine API.

use onward::exec::ControllerError;

use crate::definition::{AppArmor, Privileges, SeLinux, Seccomp};

/// The security options of a container.
///
/// # Errors
///
/// There is a credential spec, which is for Windows. The error is final.
pub(super) fn security_options(privileges: &Privileges) -> Result<Vec<String>, ControllerError> {
    let Privileges { no_new_privileges, seccomp, apparmor, selinux, credential_spec, .. } =
        privileges;
    if credential_spec.is_some() {
        return Err(ControllerError::new(
            "`privileges.credential_spec` is for containers of Windows; leave it out",
        ));
    }
    let mut options = Vec::new();
    if *no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match seccomp {
        None | Some(Seccomp::Default) => {}
        Some(Seccomp::Unconfined) => options.push("seccomp=unconfined".to_owned()),
        Some(Seccomp::Custom(profile)) => options.push(format!("seccomp={profile}")),
    }
    match apparmor {
        None | Some(AppArmor::Default) => {}
        Some(AppArmor::Disabled) => options.push("apparmor=unconfined".to_owned()),
        Some(AppArmor::Profile(name)) => options.push(format!("apparmor={name}")),
    }
    if let Some(SeLinux { disable, user, role, kind, level }) = selinux {
        if *disable {
            options.push("label=disable".to_owned());
        }
        for (part, value) in [("user", user), ("role", role), ("type", kind), ("level", level)] {
            options.extend(value.iter().map(|value| format!("label={part}:{value}")));
        }
    }
    Ok(options)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn every_security_option_has_the_engines_form() {
        let selinux = SeLinux { kind: Some("t".to_owned()), disable: true, ..SeLinux::default() };
        let privileges = Privileges {
            no_new_privileges: true,
            seccomp: Some(Seccomp::Custom("{}".to_owned())),
            apparmor: Some(AppArmor::Disabled),
            selinux: Some(selinux),
            ..Privileges::default()
        };
        let expected = [
            "no-new-privileges",
            "seccomp={}",
            "apparmor=unconfined",
            "label=disable",
            "label=type:t",
        ];
        assert_eq!(security_options(&privileges).unwrap(), expected);
    }
}
