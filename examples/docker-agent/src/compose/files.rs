//! The secrets and configs of a Compose file, and the files that a service has of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_kit::Problem;

use super::item::{Entry, Item};
use super::network::external;
use super::storage::{bind, host_path, mode};
use crate::definition::{BindMount, ContainerFile, FileKind, Mount};

/// Where the content of a secret or a config comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A file of the host.
    File(PathBuf),
    /// The owner of the agent knows it by this name.
    External(String),
}

/// Reads an entry of the file's `secrets` or `configs`.
pub(super) fn source(entry: &Entry<'_>) -> Result<Source, Problem> {
    let missing = "write `file: path`, or `external: true` if the owner of the agent gives it";
    if entry.item.is_null() {
        return Err(entry.problem(missing));
    }
    let known = ["name", "external", "file"];
    if let Some(name) = external(entry, &known)? {
        return Ok(Source::External(name));
    }
    let entries = entry.item.known(&known)?;
    match entries.iter().find(|entry| entry.key == "file") {
        Some(file) => Ok(Source::File(host_path(&file.item, &file.item.text()?)?)),
        None => Err(entry.problem(missing)),
    }
}

/// A secret or a config of a service.
pub(super) enum Given {
    Mount(Mount),
    File(ContainerFile),
}

/// Reads the `secrets` or the `configs` of a service, which the file defines in `sources`.
pub(super) fn of_service(
    item: &Item<'_>,
    kind: FileKind,
    sources: &BTreeMap<String, Source>,
) -> Result<Vec<Given>, Problem> {
    item.items()?.iter().map(|item| file(item, kind, sources)).collect()
}

fn file(
    item: &Item<'_>,
    kind: FileKind,
    sources: &BTreeMap<String, Source>,
) -> Result<Given, Problem> {
    let (mut name, mut target, mut owner) = (None, None, None);
    let (mut uid, mut gid, mut permissions) = (0, 0, 0o444);
    if item.is_map() {
        for entry in item.known(&["source", "target", "uid", "gid", "mode"])? {
            let value = &entry.item;
            match entry.key {
                "source" => name = Some(value.text()?),
                "target" => target = Some(value.text()?),
                "uid" => uid = value.parsed("1000")?,
                "gid" => gid = value.parsed("1000")?,
                _ => permissions = mode(value)?,
            }
            if matches!(entry.key, "uid" | "gid" | "mode") {
                owner = Some(entry);
            }
        }
    } else {
        name = Some(item.text()?);
    }
    let name = name.ok_or_else(|| item.problem("there is no `source`"))?;
    let section = match kind {
        FileKind::Secret => "secrets",
        FileKind::Config => "configs",
    };
    let found = sources.get(&name).ok_or_else(|| {
        item.problem(format!(
            "the file does not define {name:?}; add it to the `{section}` of the file"
        ))
    })?;
    let target = target.unwrap_or_else(|| name.clone());
    match (found, owner) {
        (Source::External(source), _) => {
            let (source, mode) = (source.clone(), permissions);
            Ok(Given::File(ContainerFile { kind, source, target, uid, gid, mode }))
        }
        // Compose mounts the file, so it keeps the owner and the permissions that it has.
        (Source::File(_), Some(entry)) => Err(entry.problem(
            "a `file` keeps its owner and its mode; leave this out and change those of the file",
        )),
        (Source::File(path), None) => {
            let file = ContainerFile { kind, source: name, target, uid, gid, mode: permissions };
            let mount = BindMount { read_only: true, ..bind(path.clone(), file.path()) };
            Ok(Given::Mount(Mount::Bind(mount)))
        }
    }
}
