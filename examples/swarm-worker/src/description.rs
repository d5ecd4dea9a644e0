//! The description of the node for the manager: platform, resources, engine, plugins.

mod generic_resource;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use bollard::errors::Error as ClientError;
use bollard::models::{Plugin, SystemInfo};
use docker_agent::engine::Engine;
use onward::exec::ControllerError;

use crate::wire;

pub use generic_resource::{GenericResourceError, parse_generic_resources};
use generic_resource::{from_engine, kind};

/// What an operator sets for the description of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSettings {
    /// The name of the node. Default: that of the engine's host.
    pub hostname: Option<String>,
    /// Labels in addition to the engine's own. They match constraints such as
    /// `engine.labels.disk==ssd`.
    pub labels: BTreeMap<String, String>,
    /// Generic resources in addition to the engine's own, as [`parse_generic_resources`] reads
    /// them. Those of a kind replace the engine's of that kind.
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
    let failed = |error| {
        ControllerError::new("the engine cannot be described").with_source(error).temporary()
    };
    let client = engine.client().await?;
    let info = client.info().await.map_err(failed)?;
    let managed = match client.list_plugins(None).await {
        Ok(managed) => managed,
        // Not every engine has some.
        Err(ClientError::DockerResponseServerError { status_code: 404 | 501, .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    Ok(of_info(info, managed, settings))
}

fn of_info(
    info: SystemInfo,
    managed: Vec<Plugin>,
    settings: &NodeSettings,
) -> wire::NodeDescription {
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
    .chain(managed.into_iter().flat_map(of_managed))
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
            generic_resources: info.generic_resources.map(from_engine).unwrap_or_default(),
            engine,
        },
        settings,
    )
}

/// What a managed plugin of the engine is for the scheduler. `docker info` does not list those.
///
/// A network driver is left out: it could be one between nodes.
fn of_managed(plugin: Plugin) -> impl Iterator<Item = (&'static str, String)> {
    let Plugin { name, enabled, config, .. } = plugin;
    // Such as `docker.volumedriver/1.0`.
    let kinds = config.interface.types.into_iter().filter_map(|interface| {
        let (capability, _) = interface.strip_prefix("docker.")?.split_once('/')?;
        match capability {
            "volumedriver" => Some("Volume"),
            "logdriver" => Some("Log"),
            _ => None,
        }
    });
    kinds.filter(move |_| enabled).map(move |kind| (kind, name.clone()))
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
            generic_resources: Vec::new(),
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
    generic_resources: Vec<wire::GenericResource>,
    engine: wire::EngineDescription,
}

fn description(host: Host, settings: &NodeSettings) -> wire::NodeDescription {
    let mut generic = host.generic_resources;
    let set: BTreeSet<_> = settings.generic_resources.iter().filter_map(kind).collect();
    generic.retain(|resource| kind(resource).is_none_or(|kind| !set.contains(kind)));
    generic.extend(settings.generic_resources.iter().cloned());
    wire::NodeDescription {
        hostname: settings.hostname.clone().unwrap_or(host.hostname),
        platform: Some(host.platform),
        resources: Some(wire::Resources {
            nano_cpus: host.cpus.saturating_mul(NANOS),
            memory_bytes: host.memory,
            generic,
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
    use serde_json::json;

    use super::*;
    use crate::wire::generic_resource::Resource;

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
        let described = of_info(info, Vec::new(), &settings);
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

    /// A managed plugin, as Docker 20.10 lists it.
    fn managed(name: &str, enabled: bool, interface: &str) -> Plugin {
        serde_json::from_value(json!({
            "Name": name, "Enabled": enabled, "Id": "1",
            "Settings": { "Args": [], "Devices": [], "Env": [], "Mounts": [] },
            "Config": {
                "Args": { "Description": "", "Name": "", "Settable": null, "Value": null },
                "Description": "", "Documentation": "", "DockerVersion": "20.10.24", "Env": null,
                "Entrypoint": ["/plugin"], "IpcHost": false, "PidHost": false, "WorkDir": "",
                "Interface": { "Socket": "plugin.sock", "Types": [interface] },
                "Linux": { "AllowAllDevices": false, "Capabilities": null, "Devices": null },
                "Mounts": null, "Network": { "Type": "" }, "PropagatedMount": "", "User": {},
            },
        }))
        .unwrap()
    }

    #[test]
    fn managed_plugins_of_the_engine_are_listed_if_they_run() {
        let plugins = vec![
            managed("sshfs:latest", true, "docker.volumedriver/1.0"),
            managed("loki:latest", true, "docker.logdriver/1.0"),
            managed("off:latest", false, "docker.logdriver/1.0"),
            managed("weave:latest", true, "docker.networkdriver/1.0"),
            managed("other:latest", true, "nonsense"),
        ];
        let described = of_info(SystemInfo::default(), plugins, &NodeSettings::default());
        let plugins: Vec<_> = described
            .engine
            .unwrap()
            .plugins
            .into_iter()
            .map(|plugin| format!("{}/{}", plugin.r#type, plugin.name))
            .collect();
        assert_eq!(plugins, ["Log/loki:latest", "Volume/sshfs:latest"]);
    }

    #[test]
    fn generic_resources_of_the_engine_are_replaced_by_kind() {
        let named = |kind: &str, value: &str| json!({ "NamedResourceSpec": { "Kind": kind, "Value": value } });
        let info = SystemInfo {
            generic_resources: serde_json::from_value(json!([
                named("gpu", "GPU-1"),
                named("gpu", "GPU-2"),
                { "DiscreteResourceSpec": { "Kind": "ssd", "Value": 3 } },
            ]))
            .unwrap(),
            ..SystemInfo::default()
        };
        let described = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
            let generic_resources = parse_generic_resources(&arguments).unwrap();
            let settings = NodeSettings { generic_resources, ..NodeSettings::default() };
            let generic = of_info(info.clone(), Vec::new(), &settings).resources.unwrap().generic;
            let text = |resource: wire::GenericResource| match resource.resource.unwrap() {
                Resource::NamedResourceSpec(named) => format!("{}={}", named.kind, named.value),
                Resource::DiscreteResourceSpec(number) => {
                    format!("{}={}", number.kind, number.value)
                }
            };
            generic.into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(described(&[]), ["gpu=GPU-1", "gpu=GPU-2", "ssd=3"]);
        assert_eq!(described(&["gpu=4", "fpga=1"]), ["ssd=3", "gpu=4", "fpga=1"]);
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
