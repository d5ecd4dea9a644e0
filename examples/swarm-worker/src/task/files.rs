//! The secrets and configs of a task, as files of its container.

use docker_agent::definition::{ContainerFile, FileKind};

use super::refusal::Refusal;
use crate::wire;
use crate::wire::config_reference::Target as ConfigTarget;
use crate::wire::secret_reference::Target as SecretTarget;

/// Go's bits for set-user-id, set-group-id and sticky, and those of the kernel.
const GO_BITS: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// The files in the order of the references, secrets first. Two references to one secret are two
/// files.
pub(super) fn files(spec: &wire::ContainerSpec) -> Result<Vec<ContainerFile>, Refusal> {
    let secrets = spec.secrets.iter().enumerate().map(|(at, reference)| {
        let option = format!("secrets[{at}]");
        match &reference.target {
            Some(SecretTarget::File(target)) => {
                file(&option, FileKind::Secret, &reference.secret_id, target).map(Some)
            }
            None => Err(Refusal::new(option, "it has no file as its target")),
        }
    });
    let configs = spec.configs.iter().enumerate().map(|(at, reference)| {
        let option = format!("configs[{at}]");
        match &reference.target {
            Some(ConfigTarget::File(target)) => {
                file(&option, FileKind::Config, &reference.config_id, target).map(Some)
            }
            // Such a config is for the engine. Only those of Windows use one.
            Some(ConfigTarget::Runtime(_)) => Ok(None),
            None => Err(Refusal::new(option, "it has no file as its target")),
        }
    });
    secrets.chain(configs).filter_map(Result::transpose).collect()
}

fn file(
    option: &str,
    kind: FileKind,
    id: &str,
    target: &wire::FileTarget,
) -> Result<ContainerFile, Refusal> {
    let number = |name: &str, text: &str| match text {
        "" => Ok(0),
        _ => text.parse().map_err(|_| {
            let told = format!("{text:?} is not a number; names of users do not work here");
            Refusal::new(format!("{option}.file.{name}"), told)
        }),
    };
    if target.name.is_empty() {
        return Err(Refusal::new(format!("{option}.file.name"), "it is missing"));
    }
    Ok(ContainerFile {
        kind,
        source: id.to_owned(),
        target: target.name.clone(),
        uid: number("uid", &target.uid)?,
        gid: number("gid", &target.gid)?,
        mode: mode(target.mode),
    })
}

fn mode(mode: u32) -> u32 {
    let special = GO_BITS.iter().filter(|(go, _)| mode & go != 0).map(|(_, bit)| bit);
    special.fold(mode & 0o7777, |mode, bit| mode | bit)
}
