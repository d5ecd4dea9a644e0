//! The networks of a task, and the ports that it publishes on its node.

use std::net::IpAddr;
use std::num::NonZeroU16;

use docker_agent::definition::{Network, Port, Subnet};

use super::optional::some;
use super::refusal::Refusal;
use crate::wire::network_spec::ConfigFrom;
use crate::wire::port_config::PublishMode;
use crate::{status, wire};

/// The label of the networks that every engine has by itself: `bridge` and `host`.
const PREDEFINED: &str = "com.docker.swarm.predefined";

/// The networks that the manager has attached the task to. The engine makes one that it does not
/// have.
///
/// # Errors
///
/// A network needs a driver between nodes, which no worker of this kind has.
pub(super) fn networks(task: &wire::Task) -> Result<Vec<Network>, Refusal> {
    let attachments = task.networks.iter().enumerate();
    attachments.map(|(at, attachment)| one(task, &format!("networks[{at}]"), attachment)).collect()
}

fn one(
    task: &wire::Task,
    option: &str,
    attachment: &wire::NetworkAttachment,
) -> Result<Network, Refusal> {
    let network = attachment.network.as_ref();
    let spec = network.and_then(|network| network.spec.as_ref());
    let (Some(network), Some(spec)) = (network, spec) else {
        return Err(Refusal::new(option, "the network is missing"));
    };
    let annotations = spec.annotations.clone().unwrap_or_default();
    let mut made = Network::new(annotations.name);
    if made.name.is_empty() {
        return Err(Refusal::new(option, "the network has no name"));
    }
    let driver = network.driver_state.as_ref().or(spec.driver_config.as_ref());
    let driver = driver.cloned().unwrap_or_default();
    if driver.name == "overlay" || spec.ingress {
        let told = format!(
            "the network {:?} needs the driver overlay, which this worker does not have; use a \
             network of the node, such as host or bridge",
            made.name
        );
        return Err(Refusal::new(option, told));
    }
    if annotations.labels.get(PREDEFINED).is_some_and(|label| label == "true") {
        return Ok(made);
    }
    // The tasks of a service find each other by its name.
    let service = task.service_annotations.as_ref().map(|service| service.name.clone());
    made.aliases = service.into_iter().chain(attachment.aliases.iter().cloned()).collect();
    made.aliases.dedup();
    for address in &attachment.addresses {
        match address.split('/').next().and_then(|address| address.parse().ok()) {
            Some(IpAddr::V4(address)) => made.ipv4_address = Some(address),
            Some(IpAddr::V6(address)) => made.ipv6_address = Some(address),
            None => {
                let told = format!("{address:?} is not an address");
                return Err(Refusal::new(format!("{option}.addresses"), told));
            }
        }
    }
    made.driver = some(&driver.name);
    made.driver_options = driver.options;
    made.internal = spec.internal;
    made.ipv6 = spec.ipv6_enabled;
    let settings = network.ipam.as_ref().or(spec.ipam.as_ref());
    made.subnets =
        settings.into_iter().flat_map(|settings| &settings.configs).map(subnet).collect();
    made.config_from = spec.config_from.as_ref().map(|ConfigFrom::Network(name)| name.clone());
    Ok(made)
}

fn subnet(config: &wire::IpamConfig) -> Subnet {
    let wire::IpamConfig { subnet, range, gateway, .. } = config;
    Subnet { subnet: subnet.clone(), range: some(range), gateway: some(gateway) }
}

/// The ports in host mode. Those in ingress mode are published by the nodes that have the overlay
/// network `ingress`.
pub(super) fn ports(task: &wire::Task) -> Result<Vec<Port>, Refusal> {
    let ports = task.endpoint.iter().flat_map(|endpoint| &endpoint.ports).enumerate();
    let on_host = ports.filter(|(_, port)| port.publish_mode == i32::from(PublishMode::Host));
    on_host.map(|(at, port)| published(&format!("endpoint.ports[{at}]"), port)).collect()
}

fn published(option: &str, port: &wire::PortConfig) -> Result<Port, Refusal> {
    let number = |name: &str, number: u32| {
        u16::try_from(number).map(NonZeroU16::new).map_err(|_| {
            let told = format!("{number} is not a port; ports are 1 to 65535");
            Refusal::new(format!("{option}.{name}"), told)
        })
    };
    let target = number("target_port", port.target_port)?
        .ok_or_else(|| Refusal::new(format!("{option}.target_port"), "it is missing"))?;
    let protocol = status::protocol(port)
        .ok_or_else(|| Refusal::unknown(format!("{option}.protocol"), port.protocol))?;
    // Zero is any free one.
    let published = number("published_port", port.published_port)?;
    Ok(Port { name: port.name.clone(), protocol, published, ..Port::new(target) })
}
