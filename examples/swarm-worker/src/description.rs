//! The description of the node for the manager: platform, resources, engine, plugins.

mod generic_resource;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use bollard::models::SystemInfo;
use docker_agent::engine::Engine;
use onward::exec::ControllerError;

use crate::wire;

pub use generic_resource::{GenericResourceError, parse_generic_resources};

/// What an operator sets for the description of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSettings {
    /// The name of the node. Default: that of the engine's host.
    pub hostname: Option<String>,
    /// Labels in addition to the engine's own. They match constraints such as
    /// `engine.labels.disk==ssd`.
    pub labels: BTreeMap<String, String>,
    /// Generic resources, as [`parse_generic_resources`] reads them.
    pub generic_resources: Vec<wire::GenericResource>,
}

/// The driver of networks between nodes. The scheduler gives a node without it no task that needs
/// such a network.
const OVERLAY: &str = "overlay";

const NANOS: i64 = 1_000_000_000;

/// Describes a node whose tasks are containers of an engine.
///
/// # Errors
///
/// The engine does not answer. The error is temporary.
pub(crate) async fn of_engine(
    engine: &Engine,
    settings: &NodeSettings,
) -> Result<wire::NodeDescription, ControllerError> {
    let info = engine.client().await?.info().await.map_err(|error| {
        ControllerError::new("the engine cannot be described").with_source(error).temporary()
    })?;
    Ok(of_info(info, settings))
}

fn of_info(info: SystemInfo, settings: &NodeSettings) -> wire::NodeDescription {
    let labels = info.labels.unwrap_or_default();
    let labels = labels.iter().filter_map(|label| label.split_once('='));
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let plugins = info.plugins.unwrap_or_default();
    let networks = plugins.network.into_iter().flatten().filter(|name| name != OVERLAY).collect();
    let plugins: BTreeSet<_> = [
        ("Authorization", plugins.authorization.unwrap_or_default()),
        ("Log", plugins.log.unwrap_or_default()),
        ("Network", networks),
        ("Volume", plugins.volume.unwrap_or_default()),
    ]
    .into_iter()
    .flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name)))
    .collect();
    let plugins = plugins
        .into_iter()
        .map(|(kind, name)| wire::PluginDescription { r#type: kind.to_owned(), name });
    let engine = wire::EngineDescription {
        engine_version: info.server_version.unwrap_or_default(),
        labels: labels.chain(settings.labels.clone()).collect(),
        plugins: plugins.collect(),
    };
    let platform = wire::Platform {
        architecture: info.architecture.unwrap_or_default(),
        os: info.os_type.unwrap_or_default(),
    };
    description(
        Host {
            hostname: info.name.unwrap_or_default(),
            platform,
            cpus: info.ncpu.unwrap_or_default(),
            memory: info.mem_total.unwrap_or_default(),
            engine,
        },
        settings,
    )
}

/// Describes a node whose tasks are not containers: this machine, and this program as the engine.
pub(crate) fn of_host(settings: &NodeSettings) -> wire::NodeDescription {
    let system = rustix::system::uname();
    let memory = rustix::system::sysinfo();
    let memory = memory.totalram.saturating_mul(u64::from(memory.mem_unit));
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let engine = wire::EngineDescription {
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: settings.labels.clone(),
        plugins: Vec::new(),
    };
    let platform = wire::Platform {
        architecture: system.machine().to_string_lossy().into_owned(),
        os: "linux".to_owned(),
    };
    description(
        Host {
            hostname: system.nodename().to_string_lossy().into_owned(),
            platform,
            cpus: i64::try_from(cpus).unwrap_or(i64::MAX),
            memory: i64::try_from(memory).unwrap_or(i64::MAX),
            engine,
        },
        settings,
    )
}

struct Host {
    hostname: String,
    platform: wire::Platform,
    cpus: i64,
    memory: i64,
    engine: wire::EngineDescription,
}

fn description(host: Host, settings: &NodeSettings) -> wire::NodeDescription {
    wire::NodeDescription {
        hostname: settings.hostname.clone().unwrap_or(host.hostname),
        platform: Some(host.platform),
        resources: Some(wire::Resources {
            nano_cpus: host.cpus.saturating_mul(NANOS),
            memory_bytes: host.memory,
            generic: settings.generic_resources.clone(),
        }),
        engine: Some(host.engine),
        tls_info: None,
        fips: false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use bollard::models::PluginsInfo;

    use super::*;

    #[test]
    fn a_node_is_described_without_networks_between_nodes() {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let info = SystemInfo {
            name: Some("host".to_owned()),
            architecture: Some("x86_64".to_owned()),
            os_type: Some("linux".to_owned()),
            ncpu: Some(2),
            mem_total: Some(1 << 30),
            server_version: Some("20.10.24".to_owned()),
            labels: names(&["disk=ssd", "zone=a=b", "bare"]),
            plugins: Some(PluginsInfo {
                volume: names(&["local"]),
                network: names(&["overlay", "bridge", "host"]),
                authorization: None,
                log: names(&["json-file"]),
            }),
            ..SystemInfo::default()
        };
        let settings = NodeSettings {
            labels: BTreeMap::from([("disk".to_owned(), "nvme".to_owned())]),
            generic_resources: parse_generic_resources(&["gpu=1".to_owned()]).unwrap(),
            hostname: None,
        };
        let described = of_info(info, &settings);
        assert_eq!(described.hostname, "host");
        let engine = described.engine.unwrap();
        let plugins: Vec<_> = engine
            .plugins
            .iter()
            .map(|plugin| format!("{}/{}", plugin.r#type, plugin.name))
            .collect();
        assert_eq!(plugins, ["Log/json-file", "Network/bridge", "Network/host", "Volume/local"]);
        assert_eq!(engine.labels.get("disk").unwrap(), "nvme");
        assert_eq!(engine.labels.get("zone").unwrap(), "a=b");
        let resources = described.resources.unwrap();
        assert_eq!((resources.nano_cpus, resources.memory_bytes), (2_000_000_000, 1 << 30));
        assert_eq!(resources.generic.len(), 1);
    }

    #[test]
    fn this_machine_is_described_with_a_name_of_its_own() {
        let hostname = Some("worker-7".to_owned());
        let described = of_host(&NodeSettings { hostname, ..NodeSettings::default() });
        assert_eq!(described.hostname, "worker-7");
        assert_eq!(described.platform.unwrap().os, "linux");
        assert!(described.resources.unwrap().memory_bytes > 1 << 20);
        assert!(described.engine.unwrap().plugins.is_empty());
    }
}
