//! What the container of a task may do.

use docker_agent::definition::{AppArmor, Privileges, SeLinux, Seccomp};

use super::optional::some;
use super::refusal::Refusal;
use crate::wire;
use crate::wire::privileges::app_armor_opts::AppArmorMode;
use crate::wire::privileges::seccomp_opts::SeccompMode;
use crate::wire::privileges::{AppArmorOpts, SeLinuxContext, SeccompOpts};

pub(super) fn privileges(options: &wire::Privileges) -> Result<Privileges, Refusal> {
    if options.credential_spec.is_some() {
        return Err(Refusal::new(
            "privileges.credential_spec",
            "it is for containers of Windows, and this worker runs on Linux",
        ));
    }
    Ok(Privileges {
        privileged: false,
        no_new_privileges: options.no_new_privileges,
        seccomp: options.seccomp.as_ref().map(seccomp).transpose()?,
        apparmor: options.apparmor.map(apparmor).transpose()?,
        selinux: options.selinux_context.as_ref().map(selinux),
        credential_spec: None,
    })
}

fn seccomp(options: &SeccompOpts) -> Result<Seccomp, Refusal> {
    Ok(match SeccompMode::try_from(options.mode) {
        Ok(SeccompMode::Default) => Seccomp::Default,
        Ok(SeccompMode::Unconfined) => Seccomp::Unconfined,
        Ok(SeccompMode::Custom) => {
            let profile = String::from_utf8(options.profile.clone());
            Seccomp::Custom(profile.map_err(|_| {
                Refusal::new("privileges.seccomp.profile", "it is not JSON: it is not UTF-8")
            })?)
        }
        Err(_) => return Err(Refusal::unknown("privileges.seccomp.mode", options.mode)),
    })
}

fn apparmor(options: AppArmorOpts) -> Result<AppArmor, Refusal> {
    match AppArmorMode::try_from(options.mode) {
        Ok(AppArmorMode::Default) => Ok(AppArmor::Default),
        Ok(AppArmorMode::Disabled) => Ok(AppArmor::Disabled),
        Err(_) => Err(Refusal::unknown("privileges.apparmor.mode", options.mode)),
    }
}

fn selinux(context: &SeLinuxContext) -> SeLinux {
    SeLinux {
        disable: context.disable,
        user: some(&context.user),
        role: some(&context.role),
        kind: some(&context.r#type),
        level: some(&context.level),
    }
}
