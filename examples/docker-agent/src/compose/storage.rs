//! The volumes of a Compose file, and the mounts of a service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_kit::Problem;

use super::Project;
use super::item::{Entry, Item};
use super::network::external;
use super::resources::size;
use super::units;
use crate::definition::{BindMount, Mount, Propagation, TmpfsMount, VolumeMount};

/// Reads an entry of the file's `volumes`.
pub(super) fn top_level(project: &str, entry: &Entry<'_>) -> Result<VolumeMount, Problem> {
    let mut volume = volume(Some(format!("{project}_{}", entry.key)));
    if entry.item.is_null() {
        return Ok(volume);
    }
    let known = ["name", "external", "driver", "driver_opts", "labels"];
    if let Some(name) = external(entry, &known)? {
        volume.source = Some(name);
        return Ok(volume);
    }
    for entry in entry.item.known(&known)? {
        let item = &entry.item;
        match entry.key {
            "name" => volume.source = Some(item.text()?),
            "driver" => volume.driver = Some(item.text()?),
            "driver_opts" => volume.driver_options = item.map()?,
            "labels" => volume.labels = item.map()?,
            _ => {} // `external: false`
        }
    }
    Ok(volume)
}

/// Reads the `volumes` of a service.
pub(super) fn mounts(project: &Project, item: &Item<'_>) -> Result<Vec<Mount>, Problem> {
    let items = item.items()?.into_iter();
    items
        .map(|item| if item.is_map() { long(project, &item) } else { short(project, &item) })
        .collect()
}

/// `[source:]target[:option,option…]`
fn short(project: &Project, item: &Item<'_>) -> Result<Mount, Problem> {
    let text = item.text()?;
    let parts: Vec<_> = text.split(':').collect();
    let (source, target, options) = match *parts.as_slice() {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => return Err(item.wrong(&text, "data:/var/lib/data or ./dir:/dir:ro")),
    };
    let mut mount = match source {
        Some(source) if source.starts_with(['.', '/', '~']) => {
            let source = host_path(item, source)?;
            Mount::Bind(BindMount { create_source: true, ..bind(source, target.to_owned()) })
        }
        Some(name) => Mount::Volume(named(project, item, name)?),
        None => Mount::Volume(volume(None)),
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match (&mut mount, option) {
            (_, "rw") => {}
            (Mount::Bind(bind), "ro") => bind.read_only = true,
            (Mount::Volume(volume), "ro") => volume.read_only = true,
            (Mount::Volume(volume), "nocopy") => volume.no_copy = true,
            (Mount::Bind(bind), "consistent" | "cached" | "delegated") => {
                bind.consistency = Some(option.to_owned());
            }
            (Mount::Bind(bind), option) if propagation(option).is_some() => {
                bind.propagation = propagation(option);
            }
            _ => {
                return Err(item.problem(format!(
                    "the option {option:?} of a mount has no counterpart here; leave it out"
                )));
            }
        }
    }
    Ok(at(mount, target))
}

fn long(project: &Project, item: &Item<'_>) -> Result<Mount, Problem> {
    let known = ["type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"];
    let entries = item.known(&known)?;
    let find = |key| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.item);
    let missing =
        |key, example| item.problem(format!("there is no `{key}`; add one such as {example}"));
    let kind = find("type").ok_or_else(|| missing("type", "volume"))?;
    let target = find("target").ok_or_else(|| missing("target", "/data"))?.text()?;
    let read_only = find("read_only").map_or(Ok(false), Item::boolean)?;
    let kind_text = kind.text()?;
    if let Some(other) = entries
        .iter()
        .find(|entry| ["bind", "volume", "tmpfs"].contains(&entry.key) && entry.key != kind_text)
    {
        return Err(other.problem(format!("a mount of the type {kind_text:?} has no such setting")));
    }
    let source = find("source");
    match kind_text.as_str() {
        "bind" => {
            let source = source.ok_or_else(|| missing("source", "./data"))?;
            let source = host_path(source, &source.text()?)?;
            let mut mount = BindMount { read_only, create_source: true, ..bind(source, target) };
            mount.consistency = find("consistency").map(Item::text).transpose()?;
            find("bind").map_or(Ok(()), |item| bind_settings(item, &mut mount))?;
            Ok(Mount::Bind(mount))
        }
        "volume" => {
            let mut mount = match source {
                Some(source) => named(project, source, &source.text()?)?,
                None => volume(None),
            };
            (mount.read_only, mount.target) = (read_only, target);
            find("volume").map_or(Ok(()), |item| volume_settings(item, &mut mount))?;
            Ok(Mount::Volume(mount))
        }
        "tmpfs" => {
            let mut mount = TmpfsMount { read_only, ..empty(target) };
            if let Some(item) = find("tmpfs") {
                for entry in item.known(&["size", "mode"])? {
                    match entry.key {
                        "size" => mount.size = Some(size(&entry.item)?),
                        _ => mount.mode = Some(mode(&entry.item)?),
                    }
                }
            }
            Ok(Mount::Tmpfs(mount))
        }
        other => Err(kind.wrong(other, "volume, bind or tmpfs")),
    }
}

fn bind_settings(item: &Item<'_>, mount: &mut BindMount) -> Result<(), Problem> {
    for entry in item.known(&["propagation", "create_host_path", "recursive"])? {
        let item = &entry.item;
        match entry.key {
            "propagation" => {
                let text = item.text()?;
                let known = propagation(&text);
                mount.propagation = Some(known.ok_or_else(|| item.wrong(&text, "rprivate"))?);
            }
            "create_host_path" => mount.create_source = item.boolean()?,
            _ => match item.text()?.as_str() {
                "enabled" => {}
                "disabled" => mount.non_recursive = true,
                "writable" => mount.read_only_non_recursive = true,
                "readonly" => mount.read_only_force_recursive = true,
                other => return Err(item.wrong(other, "enabled, disabled, writable or readonly")),
            },
        }
    }
    Ok(())
}

fn volume_settings(item: &Item<'_>, mount: &mut VolumeMount) -> Result<(), Problem> {
    for entry in item.known(&["nocopy", "subpath", "labels"])? {
        let item = &entry.item;
        match entry.key {
            "nocopy" => mount.no_copy = item.boolean()?,
            "subpath" => mount.subpath = Some(item.text()?),
            _ => mount.labels.extend(item.map::<BTreeMap<_, _>>()?),
        }
    }
    Ok(())
}

/// Reads `tmpfs`: `path[:option,option…]`, or a list of these.
pub(super) fn tmpfs(item: &Item<'_>) -> Result<Vec<Mount>, Problem> {
    let items = item.one_or_more()?.into_iter();
    items
        .map(|item| {
            let text = item.text()?;
            let (target, options) = text.split_once(':').unwrap_or((&text, ""));
            let mut mount = empty(target.to_owned());
            for option in options.split(',').filter(|option| !option.is_empty()) {
                let wrong = || item.wrong(option, "size=64m or mode=1777");
                match option.split_once('=') {
                    Some(("size", size)) => mount.size = Some(units::size(size).ok_or_else(wrong)?),
                    Some(("mode", mode)) => {
                        mount.mode = Some(u32::from_str_radix(mode, 8).map_err(|_| wrong())?);
                    }
                    None if option == "ro" => mount.read_only = true,
                    None if option == "rw" => {}
                    Some(_) | None => mount.options.push(option.to_owned()),
                }
            }
            Ok(Mount::Tmpfs(mount))
        })
        .collect()
}

/// Permissions in octal, with a zero in front: without it, YAML means a decimal number.
pub(super) fn mode(item: &Item<'_>) -> Result<u32, Problem> {
    let text = item.text()?;
    let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix('0'));
    let mode = digits.and_then(|digits| u32::from_str_radix(digits, 8).ok());
    mode.ok_or_else(|| item.wrong(&text, "0444, with the zero in front"))
}

/// A volume that the file defines.
fn named(project: &Project, item: &Item<'_>, name: &str) -> Result<VolumeMount, Problem> {
    project.volumes.get(name).cloned().ok_or_else(|| {
        item.problem(format!(
            "the file does not define the volume {name:?}; add it to the `volumes` of the file, or \
             write ./{name} for a directory of the host"
        ))
    })
}

/// A path of the host. It can begin with `~`.
pub(super) fn host_path(item: &Item<'_>, text: &str) -> Result<PathBuf, Problem> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(PathBuf::from(text)) };
    match (item.variable("HOME"), rest.strip_prefix('/')) {
        (Some(home), Some(rest)) => Ok(PathBuf::from(home).join(rest)),
        (Some(home), None) if rest.is_empty() => Ok(PathBuf::from(home)),
        _ => {
            Err(item
                .problem(format!("the home directory of {text:?} is not known; write its path")))
        }
    }
}

fn propagation(text: &str) -> Option<Propagation> {
    match text {
        "private" => Some(Propagation::Private),
        "rprivate" => Some(Propagation::RPrivate),
        "shared" => Some(Propagation::Shared),
        "rshared" => Some(Propagation::RShared),
        "slave" => Some(Propagation::Slave),
        "rslave" => Some(Propagation::RSlave),
        _ => None,
    }
}

fn at(mut mount: Mount, target: &str) -> Mount {
    let slot = match &mut mount {
        Mount::Bind(mount) => &mut mount.target,
        Mount::Volume(mount) => &mut mount.target,
        Mount::Tmpfs(mount) => &mut mount.target,
    };
    target.clone_into(slot);
    mount
}

pub(super) fn bind(source: PathBuf, target: String) -> BindMount {
    BindMount {
        source,
        target,
        read_only: false,
        propagation: None,
        non_recursive: false,
        create_source: false,
        read_only_non_recursive: false,
        read_only_force_recursive: false,
        consistency: None,
    }
}

fn volume(source: Option<String>) -> VolumeMount {
    VolumeMount {
        source,
        target: String::new(),
        read_only: false,
        no_copy: false,
        labels: BTreeMap::new(),
        driver: None,
        driver_options: BTreeMap::new(),
        subpath: None,
    }
}

fn empty(target: String) -> TmpfsMount {
    TmpfsMount { target, read_only: false, size: None, mode: None, options: Vec::new() }
}
