//! The mounts of a task.

use std::path::PathBuf;

use docker_agent::definition::{BindMount, Mount, Propagation, TmpfsMount, VolumeMount};

use super::optional::some;
use super::refusal::Refusal;
use crate::wire;
use crate::wire::mount::bind_options::Propagation as WirePropagation;
use crate::wire::mount::{Consistency, Type};

pub(super) fn mounts(mounts: &[wire::Mount]) -> Result<Vec<Mount>, Refusal> {
    mounts.iter().enumerate().map(|(at, mount)| one(&format!("mounts[{at}]"), mount)).collect()
}

fn one(option: &str, mount: &wire::Mount) -> Result<Mount, Refusal> {
    let refuse = |problem: &str| Err(Refusal::new(option, problem));
    match Type::try_from(mount.r#type) {
        Ok(Type::Bind) => bind(option, mount).map(Mount::Bind),
        Ok(Type::Volume) => Ok(Mount::Volume(volume(mount))),
        Ok(Type::Tmpfs) if mount.source.is_empty() => Ok(Mount::Tmpfs(tmpfs(mount))),
        Ok(Type::Tmpfs) => refuse("a tmpfs has no source; leave it out"),
        Ok(Type::Npipe) => refuse("named pipes are for Windows, and this worker runs on Linux"),
        Ok(Type::Cluster) => {
            refuse("cluster volumes are not supported by this worker; use a volume of an engine")
        }
        Err(_) => Err(Refusal::unknown(format!("{option}.type"), mount.r#type)),
    }
}

fn bind(option: &str, mount: &wire::Mount) -> Result<BindMount, Refusal> {
    let options = mount.bind_options.unwrap_or_default();
    let propagation = match WirePropagation::try_from(options.propagation) {
        // The engine's default.
        Ok(WirePropagation::Rprivate) => None,
        Ok(WirePropagation::Private) => Some(Propagation::Private),
        Ok(WirePropagation::Rshared) => Some(Propagation::RShared),
        Ok(WirePropagation::Shared) => Some(Propagation::Shared),
        Ok(WirePropagation::Rslave) => Some(Propagation::RSlave),
        Ok(WirePropagation::Slave) => Some(Propagation::Slave),
        Err(_) => {
            let option = format!("{option}.bind_options.propagation");
            return Err(Refusal::unknown(option, options.propagation));
        }
    };
    let consistency = match Consistency::try_from(mount.consistency) {
        Ok(Consistency::Default) => None,
        Ok(Consistency::Consistent) => Some("consistent"),
        Ok(Consistency::Cached) => Some("cached"),
        Ok(Consistency::Delegated) => Some("delegated"),
        Err(_) => return Err(Refusal::unknown(format!("{option}.consistency"), mount.consistency)),
    };
    Ok(BindMount {
        source: PathBuf::from(&mount.source),
        target: mount.target.clone(),
        read_only: mount.readonly,
        propagation,
        non_recursive: options.nonrecursive,
        create_source: options.createmountpoint,
        read_only_non_recursive: options.readonlynonrecursive,
        read_only_force_recursive: options.readonlyforcerecursive,
        consistency: consistency.map(str::to_owned),
    })
}

fn volume(mount: &wire::Mount) -> VolumeMount {
    let options = mount.volume_options.clone().unwrap_or_default();
    let driver = options.driver_config.unwrap_or_default();
    VolumeMount {
        source: some(&mount.source),
        target: mount.target.clone(),
        read_only: mount.readonly,
        no_copy: options.nocopy,
        labels: options.labels,
        driver: some(&driver.name),
        driver_options: driver.options,
        subpath: some(&options.subpath),
    }
}

fn tmpfs(mount: &wire::Mount) -> TmpfsMount {
    let options = mount.tmpfs_options.clone().unwrap_or_default();
    TmpfsMount {
        target: mount.target.clone(),
        read_only: mount.readonly,
        size: Some(options.size_bytes).filter(|size| *size > 0),
        mode: Some(options.mode).filter(|mode| *mode != 0),
        options: tmpfs_options(&options.options),
    }
}

/// The manager has them as JSON: a list of lists, each a name, or a name and a value.
fn tmpfs_options(text: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<Vec<String>>>(text) {
        Ok(options) => options.iter().map(|option| option.join("=")).collect(),
        Err(_) => text.split(',').filter_map(some).collect(),
    }
}
