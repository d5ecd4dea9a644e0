//! The ports that a container has on its host, as the engine lists them.

use bollard::models::{ContainerInspectResponse, PortBinding};
use onward::lifecycle::{PortConfig, PortStatus, Protocol, PublishMode};

use crate::definition::Port;

/// The published ports, sorted: an order that changes would be a status that has changed.
///
/// The engine lists a port once for IPv4 and once for IPv6. Without `doubles`, it is listed once.
pub(crate) fn status(
    inspection: &ContainerInspectResponse,
    defined: &[Port],
    doubles: bool,
) -> PortStatus {
    let ports = inspection.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
    let bindings = ports.into_iter().flatten().flat_map(|(port, bindings)| {
        bindings.iter().flatten().filter_map(move |binding| config(port, binding, defined))
    });
    let mut ports: Vec<_> = bindings.collect();
    ports.sort_unstable();
    if !doubles {
        ports.dedup();
    }
    PortStatus { ports }
}

/// `port` is written like `80/tcp`.
fn config(port: &str, binding: &PortBinding, defined: &[Port]) -> Option<PortConfig> {
    let (target, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let (target_port, protocol) = (target.parse().ok()?, protocol.parse::<Protocol>().ok()?);
    let published_port = binding.host_port.as_ref()?.parse().ok().filter(|port| *port != 0)?;
    let is_it = |port: &&Port| port.target.get() == target_port && port.protocol == protocol;
    let name = defined.iter().find(is_it).map(|port| port.name.clone()).unwrap_or_default();
    let publish_mode = PublishMode::Host;
    Some(PortConfig { name, protocol, target_port, published_port, publish_mode })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use bollard::models::NetworkSettings;

    use super::*;

    fn inspection() -> ContainerInspectResponse {
        let binding = |ip: &str, port: &str| PortBinding {
            host_ip: Some(ip.to_owned()),
            host_port: Some(port.to_owned()),
        };
        let both = vec![binding("::", "8080"), binding("0.0.0.0", "8080")];
        let ports = [
            ("80/tcp".to_owned(), Some(both)),
            ("53/udp".to_owned(), Some(vec![binding("0.0.0.0", "49153")])),
            ("9/tcp".to_owned(), None),
        ];
        let settings = NetworkSettings { ports: Some(ports.into()), ..NetworkSettings::default() };
        ContainerInspectResponse { network_settings: Some(settings), ..Default::default() }
    }

    #[test]
    fn ports_are_sorted_and_listed_once_for_each_address_family() {
        let http = Port { name: "http".to_owned(), ..Port::new(80.try_into().unwrap()) };
        let listed = |doubles| {
            let status = status(&inspection(), std::slice::from_ref(&http), doubles);
            let ports = status.ports.into_iter();
            ports.map(|port| (port.name, port.target_port, port.published_port)).collect::<Vec<_>>()
        };
        let (dns, web) = ((String::new(), 53, 49153), ("http".to_owned(), 80, 8080));
        assert_eq!(listed(true), [dns.clone(), web.clone(), web.clone()]);
        assert_eq!(listed(false), [dns, web]);
    }
}
