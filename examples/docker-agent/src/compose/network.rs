//! The networks of a Compose file and of its services.

use agent_kit::Problem;

use super::Project;
use super::item::{Entry, Item};
use crate::create::is_builtin;
use crate::definition::Network;

/// Reads an entry of the file's `networks`.
pub(super) fn top_level(project: &str, entry: &Entry<'_>) -> Result<Network, Problem> {
    let mut network = Network::new(format!("{project}_{}", entry.key));
    if entry.item.is_null() {
        return Ok(network);
    }
    let known = ["name", "external", "driver", "driver_opts", "internal"];
    if let Some(name) = external(entry, &known)? {
        return Ok(Network::new(name));
    }
    for entry in entry.item.known(&known)? {
        let item = &entry.item;
        match entry.key {
            "name" => network.name = item.text()?,
            "driver" => network.driver = Some(item.text()?),
            "driver_opts" => network.driver_options = item.map()?,
            "internal" => network.internal = item.boolean()?,
            _ => {} // `external: false`
        }
    }
    Ok(network)
}

/// The name of a network, a volume or a file that is not the project's, if the entry is
/// `external: true`. Such an entry has no other keys than `name`.
pub(super) fn external(entry: &Entry<'_>, known: &[&str]) -> Result<Option<String>, Problem> {
    let entries = entry.item.known(known)?;
    let find = |key| entries.iter().find(|entry| entry.key == key);
    let is_external = match find("external") {
        Some(external) => external.item.boolean()?,
        None => false,
    };
    if !is_external {
        return Ok(None);
    }
    if let Some(other) = entries.iter().find(|entry| !matches!(entry.key, "external" | "name")) {
        return Err(other.problem("with `external: true`, only `name` is allowed; leave this out"));
    }
    find("name").map_or(Ok(entry.key.to_owned()), |name| name.item.text()).map(Some)
}

/// The network on which the services without `networks` find each other.
pub(super) fn default(project: &Project, service: &str) -> Network {
    let network = project.networks.get("default").cloned();
    let network = network.unwrap_or_else(|| Network::new(format!("{}_default", project.name)));
    joined(network, service, Vec::new())
}

/// Reads the `networks` of a service: a list of names, or a map.
pub(super) fn of_service(
    project: &Project,
    service: &str,
    item: &Item<'_>,
) -> Result<Vec<Network>, Problem> {
    let mut networks = Vec::new();
    if item.is_map() {
        for entry in item.entries()? {
            let network = named(project, entry.key).ok_or_else(|| entry.problem(UNDEFINED))?;
            networks.push(settings(network, service, &entry.item)?);
        }
    } else {
        for item in item.items()? {
            let network = named(project, &item.text()?).ok_or_else(|| item.problem(UNDEFINED))?;
            networks.push(joined(network, service, Vec::new()));
        }
    }
    if networks.is_empty() {
        return Err(
            item.problem("there is no network in it; leave it out, or use network_mode: none")
        );
    }
    Ok(networks)
}

const UNDEFINED: &str =
    "the file does not define this network; add it to the `networks` of the file";

fn named(project: &Project, name: &str) -> Option<Network> {
    let default = || Network::new(format!("{}_default", project.name));
    let network = project.networks.get(name).cloned();
    network.or_else(|| (name == "default").then(default))
}

/// Reads the settings of a service in one network.
fn settings(mut network: Network, service: &str, item: &Item<'_>) -> Result<Network, Problem> {
    let mut aliases = Vec::new();
    if !item.is_null() {
        for entry in item.known(&["aliases", "ipv4_address", "ipv6_address"])? {
            let item = &entry.item;
            if is_builtin(&network.name) {
                let told = format!("the engine's network {:?} has no such setting", network.name);
                return Err(entry.problem(told));
            }
            match entry.key {
                "aliases" => aliases = item.texts()?,
                "ipv4_address" => network.ipv4_address = Some(item.parsed("172.16.238.10")?),
                _ => network.ipv6_address = Some(item.parsed("2001:db8::10")?),
            }
        }
    }
    Ok(joined(network, service, aliases))
}

/// Adds the names under which the other services find this one. The engine's own networks have none.
fn joined(mut network: Network, service: &str, aliases: Vec<String>) -> Network {
    if !is_builtin(&network.name) {
        network.aliases.push(service.to_owned());
        network.aliases.extend(aliases.into_iter().filter(|alias| alias != service));
    }
    network
}

/// Reads `network_mode`, which names a network of the engine or another container.
pub(super) fn mode(item: &Item<'_>) -> Result<Network, Problem> {
    let mode = item.text()?;
    match mode.as_str() {
        "host" | "none" | "bridge" => Ok(Network::new(mode)),
        container if container.starts_with("container:") => Ok(Network::new(mode)),
        _ => Err(item.wrong(&mode, "host, none, bridge or container:name, or use `networks`")),
    }
}

/// Reads `extra_hosts`: a list of `name:address` or `name=address`, or a map.
pub(super) fn hosts(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    let mut hosts = Vec::new();
    if item.is_map() {
        for entry in item.entries()? {
            for address in entry.item.one_or_more()? {
                hosts.push(host(entry.key, &address.text()?));
            }
        }
    } else {
        for item in item.items()? {
            let text = item.text()?;
            let Some((name, address)) = text.split_once('=').or_else(|| text.split_once(':'))
            else {
                return Err(item.wrong(&text, "name=192.0.2.7"));
            };
            hosts.push(host(name, address));
        }
    }
    Ok(hosts)
}

fn host(name: &str, address: &str) -> String {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    format!("{}:{}", name.trim(), bare.unwrap_or(address).trim())
}
