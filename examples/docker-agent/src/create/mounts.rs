//! Mounts in the words of the Engine API.

use std::path::Path;

use bollard::models::{
    Mount as ApiMount, MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions,
    MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
};

use super::{list, map};
use crate::definition::{BindMount, Mount, Propagation, TmpfsMount, VolumeMount};

pub(super) fn mount(mount: &Mount) -> ApiMount {
    match mount {
        Mount::Bind(mount) => bind(mount),
        Mount::Volume(mount) => volume(mount),
        Mount::Tmpfs(mount) => tmpfs(mount),
    }
}

fn bind(mount: &BindMount) -> ApiMount {
    ApiMount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.display().to_string()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        consistency: mount.consistency.clone(),
        bind_options: Some(MountBindOptions {
            propagation: mount.propagation.map(propagation),
            non_recursive: mount.non_recursive.then_some(true),
            create_mountpoint: mount.create_source.then_some(true),
            read_only_non_recursive: mount.read_only_non_recursive.then_some(true),
            read_only_force_recursive: mount.read_only_force_recursive.then_some(true),
        }),
        ..ApiMount::default()
    }
}

fn propagation(propagation: Propagation) -> MountBindOptionsPropagationEnum {
    match propagation {
        Propagation::Private => MountBindOptionsPropagationEnum::PRIVATE,
        Propagation::RPrivate => MountBindOptionsPropagationEnum::RPRIVATE,
        Propagation::Shared => MountBindOptionsPropagationEnum::SHARED,
        Propagation::RShared => MountBindOptionsPropagationEnum::RSHARED,
        Propagation::Slave => MountBindOptionsPropagationEnum::SLAVE,
        Propagation::RSlave => MountBindOptionsPropagationEnum::RSLAVE,
    }
}

fn volume(mount: &VolumeMount) -> ApiMount {
    let has_driver = mount.driver.is_some() || !mount.driver_options.is_empty();
    ApiMount {
        typ: Some(MountType::VOLUME),
        source: mount.source.clone(),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(mount.no_copy),
            labels: map(&mount.labels),
            driver_config: has_driver.then(|| MountVolumeOptionsDriverConfig {
                name: mount.driver.clone(),
                options: map(&mount.driver_options),
            }),
            subpath: mount.subpath.clone(),
        }),
        ..ApiMount::default()
    }
}

fn tmpfs(mount: &TmpfsMount) -> ApiMount {
    let option = |option: &String| match option.split_once('=') {
        Some((name, value)) => vec![name.to_owned(), value.to_owned()],
        None => vec![option.clone()],
    };
    ApiMount {
        typ: Some(MountType::TMPFS),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        tmpfs_options: Some(MountTmpfsOptions {
            size_bytes: mount.size,
            mode: mount.mode.map(i64::from),
            options: list(&mount.options).map(|options| options.iter().map(option).collect()),
        }),
        ..ApiMount::default()
    }
}

/// A secret or a config, which is a file in memory on the host.
pub(super) fn file_mount(target: String, path: &Path) -> ApiMount {
    ApiMount {
        typ: Some(MountType::BIND),
        source: Some(path.display().to_string()),
        target: Some(target),
        read_only: Some(true),
        ..ApiMount::default()
    }
}
