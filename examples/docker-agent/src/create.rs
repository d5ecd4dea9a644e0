//! A definition in the words of the Engine API: the body of `POST /containers/create`.

mod mounts;
mod newer;
mod security;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use onward::exec::ControllerError;

use crate::definition::{DockerDefinition, HealthCheck, Isolation, Network, Port, Resources};
use crate::labels;
use mounts::{file_mount, mount};
pub(crate) use newer::check_known;
use security::security_options;

/// The parts of a container that are not in its definition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) agent: String,
    pub(crate) task: String,
    /// The entries of the definition's `env_file`, each `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The path on the host of each of the definition's `files`.
    pub(crate) files: Vec<PathBuf>,
}

/// The body of the request that creates the container.
///
/// # Errors
///
/// The definition has an option that this agent refuses. The error is final.
pub(crate) fn body(
    definition: &DockerDefinition,
    surroundings: Surroundings,
) -> Result<ContainerCreateBody, ControllerError> {
    check_isolation(definition.isolation)?;
    let first = definition.networks.first();
    let endpoints = first.filter(|network| !is_builtin(&network.name) || has_settings(network));
    let body = ContainerCreateBody {
        image: Some(definition.image.clone()),
        entrypoint: list(&definition.command),
        cmd: list(&definition.args),
        env: list(&environment(definition, surroundings.env)),
        working_dir: definition.dir.clone(),
        user: definition.user.clone(),
        hostname: definition.hostname.clone(),
        domainname: definition.domainname.clone(),
        tty: Some(definition.tty),
        open_stdin: Some(definition.open_stdin),
        healthcheck: definition.healthcheck.as_ref().map(health),
        stop_signal: definition.stop_signal.clone(),
        stop_timeout: Some(seconds(definition.stop_grace).into()),
        exposed_ports: list(&exposed_ports(definition)),
        labels: Some(all_labels(definition, surroundings.agent, surroundings.task)),
        host_config: Some(host_config(definition, &surroundings.files)?),
        networking_config: endpoints.map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint(network))])),
        }),
        ..ContainerCreateBody::default()
    };
    Ok(body)
}

/// Refuses the isolation of Windows. An engine of Linux reports it as an error of its own, status 500,
/// so the task would try again and again.
fn check_isolation(isolation: Isolation) -> Result<(), ControllerError> {
    match isolation {
        Isolation::Default => Ok(()),
        Isolation::Process | Isolation::HyperV => {
            Err(ControllerError::new("`isolation` is for containers of Windows; leave it out"))
        }
    }
}

fn host_config(
    definition: &DockerDefinition,
    files: &[PathBuf],
) -> Result<HostConfig, ControllerError> {
    let Resources {
        cpus, memory, memory_reservation, memory_swap, memory_swappiness, pids, ..
    } = &definition.resources;
    let files =
        definition.files.iter().zip(files).map(|(file, path)| file_mount(file.path(), path));
    let mounts: Vec<_> = definition.mounts.iter().map(mount).chain(files).collect();
    let dns = &definition.dns;
    Ok(HostConfig {
        nano_cpus: cpus.map(|cpus| cpus.0),
        memory: *memory,
        memory_reservation: *memory_reservation,
        memory_swap: *memory_swap,
        memory_swappiness: *memory_swappiness,
        pids_limit: *pids,
        ulimits: list(&definition.ulimits).map(|limits| {
            let limits = limits.into_iter().map(|limit| ResourcesUlimits {
                name: Some(limit.name),
                soft: Some(limit.soft),
                hard: Some(limit.hard),
            });
            limits.collect()
        }),
        oom_score_adj: definition.oom_score_adj,
        init: definition.init,
        mounts: list(&mounts),
        network_mode: definition.networks.first().map(|network| network.name.clone()),
        port_bindings: port_bindings(definition),
        dns: list(&dns.servers).map(|all| all.iter().map(ToString::to_string).collect()),
        dns_search: list(&dns.search),
        dns_options: list(&dns.options),
        extra_hosts: list(&definition.hosts),
        group_add: list(&definition.groups),
        cap_add: list(&definition.capability_add),
        cap_drop: list(&definition.capability_drop),
        privileged: Some(definition.privileges.privileged),
        security_opt: list(&security_options(&definition.privileges)?),
        readonly_rootfs: Some(definition.read_only),
        sysctls: map(&definition.sysctls),
        log_config: definition.log_driver.as_ref().map(|driver| HostConfigLogConfig {
            typ: Some(driver.name.clone()),
            config: map(&driver.options),
        }),
        // A task runs once. Whether another one follows is its service's to decide.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    })
}

/// The file's entries first, so that those of the definition take precedence.
fn environment(definition: &DockerDefinition, file: Vec<String>) -> Vec<String> {
    let own = definition.env.iter().map(|(name, value)| format!("{name}={value}"));
    let generic = definition.resources.generic.iter().map(|(kind, values)| {
        format!("DOCKER_RESOURCE_{}={}", kind.to_uppercase(), values.join(","))
    });
    // A name without a value: the engine takes the variable away.
    let removed = definition.env_remove.iter().cloned();
    file.into_iter().chain(own).chain(generic).chain(removed).collect()
}

/// The agent's labels take precedence: containers are found by them.
fn all_labels(
    definition: &DockerDefinition,
    agent: String,
    task: String,
) -> HashMap<String, String> {
    let own = [(labels::AGENT.to_owned(), agent), (labels::TASK.to_owned(), task)];
    definition.labels.clone().into_iter().chain(own).collect()
}

fn health(check: &HealthCheck) -> HealthConfig {
    HealthConfig {
        test: list(&check.test),
        interval: check.interval.map(nanoseconds),
        timeout: check.timeout.map(nanoseconds),
        retries: check.retries.map(i64::from),
        start_period: check.start_period.map(nanoseconds),
        start_interval: check.start_interval.map(nanoseconds),
    }
}

fn port(definition: &Port) -> String {
    format!("{}/{}", definition.target, definition.protocol)
}

fn exposed_ports(definition: &DockerDefinition) -> Vec<String> {
    let mut ports: Vec<_> = definition.ports.iter().map(port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn port_bindings(
    definition: &DockerDefinition,
) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    let mut bindings = HashMap::<_, Option<Vec<_>>>::new();
    for published in &definition.ports {
        bindings.entry(port(published)).or_default().get_or_insert_default().push(PortBinding {
            host_ip: published.address.map(|address| address.to_string()),
            host_port: published.published.map(|port| port.to_string()),
        });
    }
    Some(bindings).filter(|bindings| !bindings.is_empty())
}

/// Whether the engine has this network by itself.
pub(crate) fn is_builtin(network: &str) -> bool {
    matches!(network, "host" | "none" | "bridge" | "default") || network.starts_with("container:")
}

fn has_settings(network: &Network) -> bool {
    !network.aliases.is_empty() || network.ipv4_address.is_some() || network.ipv6_address.is_some()
}

/// How a container is connected to a network.
pub(crate) fn endpoint(network: &Network) -> EndpointSettings {
    let (v4, v6) = (network.ipv4_address, network.ipv6_address);
    EndpointSettings {
        aliases: list(&network.aliases),
        ipam_config: (v4.is_some() || v6.is_some()).then(|| EndpointIpamConfig {
            ipv4_address: v4.map(|address| address.to_string()),
            ipv6_address: v6.map(|address| address.to_string()),
            link_local_ips: None,
        }),
        ..EndpointSettings::default()
    }
}

/// Whole seconds, rounded up: the engine counts the grace in them.
pub(crate) fn seconds(grace: Duration) -> i32 {
    let up = u64::from(grace.subsec_nanos() > 0);
    i32::try_from(grace.as_secs().saturating_add(up)).unwrap_or(i32::MAX)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// An empty list is left out. Then the default of the image or the engine applies.
fn list<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

fn map(entries: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!entries.is_empty()).then(|| entries.clone().into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_rounded_up_to_seconds() {
        for (millis, expected) in [(0, 0), (1, 1), (1000, 1), (7500, 8)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn a_credential_spec_is_refused_with_a_reason() {
        let mut definition = DockerDefinition::new("x");
        definition.privileges.credential_spec = Some("file://spec.json".to_owned());
        let refused = body(&definition, Surroundings::default()).unwrap_err();
        assert!(refused.to_string().contains("Windows"), "{refused}");
        assert!(!refused.is_temporary());
    }

    #[test]
    fn a_variable_of_the_definition_is_stronger_than_that_of_its_file() {
        let mut definition = DockerDefinition::new("x");
        definition.env.insert("A".to_owned(), "own".to_owned());
        definition.env_remove.push("PATH".to_owned());
        definition.resources.generic.insert("gpu".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        let all = environment(&definition, vec!["A=file".to_owned()]);
        assert_eq!(all, ["A=file", "A=own", "DOCKER_RESOURCE_GPU=a,b", "PATH"]);
    }

    #[test]
    fn an_own_label_cannot_be_replaced() {
        let mut definition = DockerDefinition::new("x");
        definition.labels.insert(labels::TASK.to_owned(), "other".to_owned());
        let labels = all_labels(&definition, "agent".to_owned(), "task".to_owned());
        assert_eq!(labels.get(crate::labels::TASK).unwrap(), "task");
    }
}
