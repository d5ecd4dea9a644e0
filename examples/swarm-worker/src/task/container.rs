//! The container of a task, from the options of its service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use docker_agent::definition::{
    Cpus, Dns, DockerDefinition, HealthCheck, Isolation, LogDriver, Resources, Ulimit,
};

use super::optional::{duration, some};
use super::refusal::Refusal;
use super::{files, labels, mounts, networks, privileges};
use crate::wire;
use crate::wire::container_spec::Isolation as WireIsolation;
use crate::wire::generic_resource::Resource;

/// Makes the definition of a task's container. `name` is that of the container.
///
/// # Errors
///
/// An option is malformed, or not supported.
pub(super) fn definition(
    task: &wire::Task,
    name: &str,
    spec: &wire::ContainerSpec,
) -> Result<DockerDefinition, Refusal> {
    if spec.image.is_empty() {
        return Err(Refusal::new("image", "it is missing"));
    }
    let mut definition = DockerDefinition::new(spec.image.clone());
    definition.container_name = Some(name.to_owned());
    definition.command.clone_from(&spec.command);
    definition.args.clone_from(&spec.args);
    environment(&spec.env, &mut definition)?;
    definition.dir = some(&spec.dir);
    definition.user = some(&spec.user);
    definition.groups.clone_from(&spec.groups);
    definition.hostname = some(&spec.hostname);
    definition.hosts = hosts(&spec.hosts)?;
    if let Some(dns) = &spec.dns_config {
        definition.dns = name_servers(dns)?;
    }
    definition.mounts = mounts::mounts(&spec.mounts)?;
    definition.networks = networks::networks(task)?;
    definition.ports = networks::ports(task)?;
    definition.healthcheck = spec.healthcheck.as_ref().map(health_check).transpose()?;
    definition.stop_signal = some(&spec.stop_signal);
    if let Some(grace) = duration("stop_grace_period", spec.stop_grace_period)? {
        definition.stop_grace = grace;
    }
    definition.init = spec.init;
    definition.tty = spec.tty;
    definition.open_stdin = spec.open_stdin;
    definition.read_only = spec.read_only;
    definition.capability_add.clone_from(&spec.capability_add);
    definition.capability_drop.clone_from(&spec.capability_drop);
    if let Some(options) = &spec.privileges {
        definition.privileges = privileges::privileges(options)?;
    }
    definition.sysctls.clone_from(&spec.sysctls);
    definition.ulimits = spec.ulimits.iter().map(ulimit).collect();
    definition.resources = resources(task, spec);
    definition.oom_score_adj = Some(spec.oom_score_adj).filter(|adjustment| *adjustment != 0);
    definition.log_driver = log_driver(task);
    definition.labels = labels::labels(task, name, spec);
    definition.files = files::files(spec)?;
    definition.isolation = match WireIsolation::try_from(spec.isolation) {
        Ok(WireIsolation::Default) => Isolation::Default,
        Ok(WireIsolation::Process) => Isolation::Process,
        Ok(WireIsolation::Hyperv) => Isolation::HyperV,
        Err(_) => return Err(Refusal::unknown("isolation", spec.isolation)),
    };
    Ok(definition)
}

/// Entries `NAME=value`. A name alone takes a variable of the image away.
fn environment(entries: &[String], definition: &mut DockerDefinition) -> Result<(), Refusal> {
    for (at, entry) in entries.iter().enumerate() {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&**entry, None),
        };
        if name.is_empty() {
            return Err(Refusal::new(format!("env[{at}]"), "the variable has no name"));
        }
        // The last entry of a name counts.
        definition.env.remove(name);
        definition.env_remove.retain(|removed| removed != name);
        match value {
            Some(value) => _ = definition.env.insert(name.to_owned(), value.to_owned()),
            None => definition.env_remove.push(name.to_owned()),
        }
    }
    Ok(())
}

/// Entries `address name alias…`, as in `/etc/hosts`. The engine has one name in each of its
/// entries.
fn hosts(entries: &[String]) -> Result<Vec<String>, Refusal> {
    let mut hosts = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let mut words = entry.split_whitespace();
        let address = words.next().unwrap_or_default();
        let names: Vec<_> = words.collect();
        if names.is_empty() {
            let told = format!("{entry:?} is not an address and a name, such as \"192.0.2.7 web\"");
            return Err(Refusal::new(format!("hosts[{at}]"), told));
        }
        hosts.extend(names.iter().map(|name| format!("{name}:{address}")));
    }
    Ok(hosts)
}

fn name_servers(config: &wire::container_spec::DnsConfig) -> Result<Dns, Refusal> {
    let address = |(at, text): (usize, &String)| {
        text.parse::<IpAddr>().map_err(|_| {
            Refusal::new(
                format!("dns_config.nameservers[{at}]"),
                format_args!("{text:?} is not an address"),
            )
        })
    };
    Ok(Dns {
        servers: config.nameservers.iter().enumerate().map(address).collect::<Result<_, _>>()?,
        search: config.search.clone(),
        options: config.options.clone(),
    })
}

fn health_check(config: &wire::HealthConfig) -> Result<HealthCheck, Refusal> {
    // Zero is the image's setting.
    let time = |name: &str, time| {
        duration(&format!("healthcheck.{name}"), time)
            .map(|time| time.filter(|time| !time.is_zero()))
    };
    let retries = u32::try_from(config.retries).map_err(|_| {
        Refusal::new("healthcheck.retries", format_args!("{} is negative", config.retries))
    })?;
    Ok(HealthCheck {
        test: config.test.clone(),
        interval: time("interval", config.interval)?,
        timeout: time("timeout", config.timeout)?,
        retries: Some(retries).filter(|retries| *retries != 0),
        start_period: time("start_period", config.start_period)?,
        start_interval: time("start_interval", config.start_interval)?,
    })
}

fn ulimit(limit: &wire::container_spec::Ulimit) -> Ulimit {
    let wire::container_spec::Ulimit { name, soft, hard } = limit;
    Ulimit { name: name.clone(), soft: *soft, hard: *hard }
}

/// The limits, and the generic resources that the scheduler has assigned. Other reservations are
/// for the scheduler only.
fn resources(task: &wire::Task, spec: &wire::ContainerSpec) -> Resources {
    let requirements = task.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let limits = requirements.and_then(|requirements| requirements.limits.as_ref());
    let memory = limits.map(|limits| limits.memory_bytes).filter(|memory| *memory > 0);
    let swap = requirements.and_then(|requirements| requirements.swap_bytes);
    let memory_swap = memory.zip(swap).and_then(|(memory, swap)| match swap {
        -1 => Some(-1),
        0.. => Some(memory.saturating_add(swap)),
        _ => None,
    });
    Resources {
        cpus: limits.map(|limits| limits.nano_cpus).filter(|cpus| *cpus > 0).map(Cpus),
        memory,
        memory_reservation: None,
        memory_swap,
        memory_swappiness: requirements.and_then(|requirements| requirements.memory_swappiness),
        pids: Some(spec.pids_limit).filter(|limit| *limit != 0),
        generic: generic(&task.assigned_generic_resources),
    }
}

fn generic(assigned: &[wire::GenericResource]) -> BTreeMap<String, Vec<String>> {
    let mut generic = BTreeMap::<_, Vec<_>>::new();
    for resource in assigned.iter().filter_map(|resource| resource.resource.as_ref()) {
        let (kind, value) = match resource {
            Resource::NamedResourceSpec(named) => (&named.kind, named.value.clone()),
            Resource::DiscreteResourceSpec(number) => (&number.kind, number.value.to_string()),
        };
        generic.entry(kind.clone()).or_default().push(value);
    }
    generic
}

/// The driver of the service, or the one that the whole swarm has.
fn log_driver(task: &wire::Task) -> Option<LogDriver> {
    let own = task.spec.as_ref().and_then(|spec| spec.log_driver.as_ref());
    let driver = task.log_driver.as_ref().or(own).filter(|driver| !driver.name.is_empty())?;
    Some(LogDriver { name: driver.name.clone(), options: driver.options.clone() })
}
