//! A service of a Compose file: each key and its counterpart in a [`DockerDefinition`].

use std::collections::BTreeMap;

use agent_kit::Problem;

use super::files::Given;
use super::item::{Entry, Item};
use super::{Project, files, health, network, port, resources, security, storage};
use crate::definition::{DockerDefinition, FileKind, Isolation, LogDriver, PullPolicy};
use crate::definition::{is_image, some_label_of_agent};
use crate::name::is_container_name;

/// A service while it is read.
struct Service<'a> {
    project: &'a Project,
    name: &'a str,
    definition: DockerDefinition,
}

/// Reads the value of a key into the definition.
type Read = fn(&Item<'_>, &mut Service<'_>) -> Result<(), Problem>;

/// The keys with a counterpart.
const KEYS: [(&str, Read); 50] = [
    ("cap_add", |item, s| put(&mut s.definition.capability_add, item.texts())),
    ("cap_drop", |item, s| put(&mut s.definition.capability_drop, item.texts())),
    ("command", |item, s| put(&mut s.definition.args, words(item))),
    ("configs", |item, s| add_files(item, FileKind::Config, s)),
    ("container_name", |item, s| put(&mut s.definition.container_name, container_name(item))),
    ("cpus", |item, s| resources::cpus(item, &mut s.definition.resources)),
    ("deploy", |item, s| resources::deploy(item, &mut s.definition.resources)),
    ("dns", |item, s| {
        let servers = item.one_or_more()?.into_iter();
        put(&mut s.definition.dns.servers, servers.map(|item| item.parsed("192.0.2.53")).collect())
    }),
    ("dns_opt", |item, s| put(&mut s.definition.dns.options, item.texts())),
    ("dns_search", |item, s| put(&mut s.definition.dns.search, one_or_more(item))),
    ("domainname", |item, s| put(&mut s.definition.domainname, some_text(item))),
    ("entrypoint", |item, s| {
        s.definition.command = words(item)?;
        if s.definition.command.is_empty() {
            return Err(item.problem("an empty entry point has no counterpart; write the program"));
        }
        Ok(())
    }),
    ("env_file", env_file),
    ("environment", environment),
    ("extra_hosts", |item, s| put(&mut s.definition.hosts, network::hosts(item))),
    ("group_add", |item, s| put(&mut s.definition.groups, item.texts())),
    ("healthcheck", |item, s| put(&mut s.definition.healthcheck, health::read(item).map(Some))),
    ("hostname", |item, s| put(&mut s.definition.hostname, some_text(item))),
    ("image", |item, s| put(&mut s.definition.image, image(item))),
    ("init", |item, s| put(&mut s.definition.init, item.boolean().map(Some))),
    ("isolation", |item, s| put(&mut s.definition.isolation, isolation(item))),
    ("labels", labels),
    ("logging", logging),
    ("mem_limit", |item, s| {
        let size = resources::size(item)?;
        resources::set(item, &mut s.definition.resources.memory, size)
    }),
    ("mem_reservation", |item, s| {
        let size = resources::size(item)?;
        resources::set(item, &mut s.definition.resources.memory_reservation, size)
    }),
    ("mem_swappiness", |item, s| {
        put(&mut s.definition.resources.memory_swappiness, item.parsed("60").map(Some))
    }),
    ("memswap_limit", |item, s| {
        let size = resources::size_or_unlimited(item).map(Some);
        put(&mut s.definition.resources.memory_swap, size)
    }),
    ("network_mode", |item, s| {
        put(&mut s.definition.networks, network::mode(item).map(|n| vec![n]))
    }),
    ("networks", |item, s| {
        put(&mut s.definition.networks, network::of_service(s.project, s.name, item))
    }),
    ("oom_score_adj", |item, s| {
        put(&mut s.definition.oom_score_adj, item.parsed("-500, from -1000 to 1000").map(Some))
    }),
    ("pids_limit", |item, s| {
        let pids = item.parsed("100")?;
        resources::set(item, &mut s.definition.resources.pids, pids)
    }),
    ("platform", |item, s| put(&mut s.definition.platform, some_text(item))),
    ("ports", |item, s| put(&mut s.definition.ports, port::read(item))),
    ("privileged", |item, s| put(&mut s.definition.privileges.privileged, item.boolean())),
    ("pull_policy", |item, s| put(&mut s.definition.pull, pull_policy(item))),
    ("read_only", |item, s| put(&mut s.definition.read_only, item.boolean())),
    ("restart", |item, _| match item.text()?.as_str() {
        "no" => Ok(()),
        _ => Err(item.problem(resources::RESTART)),
    }),
    ("scale", |item, _| resources::one(item)),
    ("secrets", |item, s| add_files(item, FileKind::Secret, s)),
    ("security_opt", |item, s| {
        let mut options = item.items()?.into_iter();
        options.try_for_each(|item| security::option(&item, &mut s.definition.privileges))
    }),
    ("stdin_open", |item, s| put(&mut s.definition.open_stdin, item.boolean())),
    ("stop_grace_period", |item, s| put(&mut s.definition.stop_grace, health::duration(item))),
    ("stop_signal", |item, s| put(&mut s.definition.stop_signal, some_text(item))),
    ("sysctls", |item, s| put(&mut s.definition.sysctls, item.map())),
    ("tmpfs", |item, s| storage::tmpfs(item).map(|mounts| s.definition.mounts.extend(mounts))),
    ("tty", |item, s| put(&mut s.definition.tty, item.boolean())),
    ("ulimits", |item, s| put(&mut s.definition.ulimits, resources::ulimits(item))),
    ("user", |item, s| put(&mut s.definition.user, some_text(item))),
    ("volumes", |item, s| {
        storage::mounts(s.project, item).map(|mounts| s.definition.mounts.extend(mounts))
    }),
    ("working_dir", |item, s| put(&mut s.definition.dir, some_text(item))),
];

/// Keys of Compose without a counterpart that need another way. Other keys are refused as unknown.
const REFUSED: [(&str, &str); 9] = [
    ("build", "no image is built; build it before, and write its name as `image`"),
    (
        "depends_on",
        "all tasks start at once; leave it out, and let the program wait until it reaches the other service",
    ),
    ("develop", "the agent does not watch source files; leave it out"),
    ("devices", "single devices have no counterpart; leave it out"),
    ("expose", "the containers of a network reach all ports of each other; leave it out"),
    ("extends", "services do not extend each other; copy the keys, or use a YAML anchor and `<<`"),
    (
        "links",
        "services find each other by name; leave it out, and use `networks` with `aliases` for other names",
    ),
    (
        "profiles",
        "every service of the file is run; leave it out, or move the service to another file",
    ),
    ("volumes_from", "mounts are not copied; write the same `volumes` in both services"),
];

/// Reads one service.
pub(super) fn read(project: &Project, entry: &Entry<'_>) -> Result<DockerDefinition, Problem> {
    let item = &entry.item;
    let definition = DockerDefinition::new("");
    let mut service = Service { project, name: entry.key, definition };
    let entries = if item.is_null() { Vec::new() } else { item.entries()? };
    for entry in &entries {
        let Some((_, read)) = KEYS.iter().find(|(key, _)| *key == entry.key) else {
            return Err(refused(entry));
        };
        if entry.item.is_null() {
            continue;
        }
        read(&entry.item, &mut service)?;
    }
    let find = |key| entries.iter().find(|entry| entry.key == key && !entry.item.is_null());
    let Service { mut definition, .. } = service;
    if definition.image.is_empty() {
        return Err(entry.problem("the service has no `image`; add one such as image: alpine:3"));
    }
    if let (Some(mode), Some(_)) = (find("network_mode"), find("networks")) {
        return Err(mode.problem("`networks` is given too; leave out one of them"));
    }
    if let (Some(command), true, true) =
        (find("command"), definition.args.is_empty(), definition.command.is_empty())
    {
        let told = "an empty command has no counterpart without `entrypoint`; leave it out";
        return Err(command.problem(told));
    }
    if definition.networks.is_empty() {
        definition.networks.push(network::default(project, entry.key));
    }
    Ok(definition)
}

fn refused(entry: &Entry<'_>) -> Problem {
    if let Some((_, reason)) = REFUSED.iter().find(|(key, _)| *key == entry.key) {
        return entry.problem(*reason);
    }
    let known: Vec<_> = KEYS.iter().map(|(key, _)| format!("`{key}`")).collect();
    entry.problem(format!(
        "this key is misspelled, or has no counterpart here; correct it or leave it out; known are {}",
        known.join(", ")
    ))
}

/// Sets a part of the definition.
fn put<T>(slot: &mut T, value: Result<T, Problem>) -> Result<(), Problem> {
    *slot = value?;
    Ok(())
}

fn some_text(item: &Item<'_>) -> Result<Option<String>, Problem> {
    item.text().map(Some)
}

fn one_or_more(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    item.one_or_more()?.iter().map(Item::text).collect()
}

/// A list, or a line that is split as a shell splits words.
fn words(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    if item.is_list() {
        return item.texts();
    }
    let line = item.text()?;
    shlex::split(&line)
        .ok_or_else(|| item.problem(format!("{line:?} has a quote or a backslash without its end")))
}

fn image(item: &Item<'_>) -> Result<String, Problem> {
    let image = item.text()?;
    if is_image(&image) { Ok(image) } else { Err(item.wrong(&image, "alpine:3")) }
}

fn container_name(item: &Item<'_>) -> Result<Option<String>, Problem> {
    let name = item.text()?;
    if is_container_name(&name) { Ok(Some(name)) } else { Err(item.wrong(&name, "my-web.1")) }
}

fn isolation(item: &Item<'_>) -> Result<Isolation, Problem> {
    match item.text()?.as_str() {
        "default" => Ok(Isolation::Default),
        other => Err(item.wrong(other, "default; the others are for Windows")),
    }
}

fn pull_policy(item: &Item<'_>) -> Result<PullPolicy, Problem> {
    match item.text()?.as_str() {
        "always" => Ok(PullPolicy::Always),
        "missing" | "if_not_present" => Ok(PullPolicy::Missing),
        "never" => Ok(PullPolicy::Never),
        other => Err(item.wrong(other, "always, missing or never")),
    }
}

/// A variable without a value has that of the agent. If the agent has none, it is taken away.
fn environment(item: &Item<'_>, service: &mut Service<'_>) -> Result<(), Problem> {
    for (name, value, item) in item.pairs()? {
        if name.is_empty() || name.contains(['=', '\0']) {
            let told = format!("{name:?} is no name of a variable; write it like NAME=value");
            return Err(item.problem(told));
        }
        match value.or_else(|| item.variable(&name)) {
            Some(value) => {
                service.definition.env.insert(name, value);
            }
            None => service.definition.env_remove.push(name),
        }
    }
    Ok(())
}

fn env_file(item: &Item<'_>, service: &mut Service<'_>) -> Result<(), Problem> {
    let items = if item.is_map() { vec![item.clone()] } else { item.one_or_more()? };
    let [item] = items.as_slice() else {
        return Err(item.problem("write exactly one file; put the variables of the others into it"));
    };
    if !item.is_map() {
        service.definition.env_file = Some(item.text()?.into());
        return Ok(());
    }
    for entry in item.known(&["path", "required", "format"])? {
        let item = &entry.item;
        match entry.key {
            "path" => service.definition.env_file = Some(item.text()?.into()),
            "required" if item.boolean()? => {}
            "required" => {
                return Err(entry.problem("the file must exist; leave this out"));
            }
            _ => match item.text()?.as_str() {
                "raw" => {}
                other => return Err(item.wrong(other, "raw")),
            },
        }
    }
    match service.definition.env_file {
        Some(_) => Ok(()),
        None => Err(item.problem("there is no `path`")),
    }
}

fn labels(item: &Item<'_>, service: &mut Service<'_>) -> Result<(), Problem> {
    service.definition.labels = item.map()?;
    match some_label_of_agent(&service.definition.labels) {
        Some(told) => Err(item.problem(told)),
        None => Ok(()),
    }
}

fn logging(item: &Item<'_>, service: &mut Service<'_>) -> Result<(), Problem> {
    let (mut name, mut options) = (None, BTreeMap::new());
    for entry in item.known(&["driver", "options"])? {
        match entry.key {
            "driver" => name = Some(entry.item.text()?),
            _ => options = entry.item.map()?,
        }
    }
    let name = name.ok_or_else(|| {
        item.problem("there is no `driver`; add that of the options, such as json-file")
    })?;
    service.definition.log_driver = Some(LogDriver { name, options });
    Ok(())
}

fn add_files(item: &Item<'_>, kind: FileKind, service: &mut Service<'_>) -> Result<(), Problem> {
    let sources = match kind {
        FileKind::Secret => &service.project.secrets,
        FileKind::Config => &service.project.configs,
    };
    for given in files::of_service(item, kind, sources)? {
        match given {
            Given::Mount(mount) => service.definition.mounts.push(mount),
            Given::File(file) => service.definition.files.push(file),
        }
    }
    Ok(())
}
