use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use agent_kit::values;
use onward::lifecycle::Protocol;
use serde::{Deserialize, Serialize};

/// Name servers of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// The addresses of the servers.
    pub servers: Vec<IpAddr>,
    /// Domains in which short names are looked up.
    pub search: Vec<String>,
    /// Options of the resolver, for example `ndots:3`.
    pub options: Vec<String>,
}

/// A network that a container is connected to.
///
/// A network that the engine does not have is created, and removed with the last task of the
/// agent that uses it. `host`, `none` and `bridge` are the engine's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { name = \"backend\" }")]
pub struct Network {
    /// The name.
    pub name: String,
    /// Names under which other containers of the network find this one.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The address in the network. Default: a free one.
    #[serde(default)]
    pub ipv4_address: Option<Ipv4Addr>,
    /// The IPv6 address in the network. Default: a free one, if the network has IPv6.
    #[serde(default)]
    pub ipv6_address: Option<Ipv6Addr>,
    /// The driver of a network that is created. Default: `bridge`.
    #[serde(default)]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default)]
    pub driver_options: BTreeMap<String, String>,
    /// Whether a network that is created has no way out. Default: no.
    #[serde(default)]
    pub internal: bool,
    /// Whether a network that is created has IPv6. Default: no.
    #[serde(default)]
    pub ipv6: bool,
    /// The subnets of a network that is created. Default: the engine chooses one.
    #[serde(default)]
    pub subnets: Vec<Subnet>,
    /// The network of the engine that has the configuration of one that is created, made with
    /// `docker network create --config-only`. Default: none.
    #[serde(default)]
    pub config_from: Option<String>,
}

/// A subnet of a network. The engine checks the addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// The addresses, for example `10.9.0.0/24`.
    pub subnet: String,
    /// The part of it from which containers get their addresses. Default: all of it.
    #[serde(default)]
    pub range: Option<String>,
    /// The address of the gateway. Default: the first one.
    #[serde(default)]
    pub gateway: Option<String>,
}

impl Network {
    /// A network with this name and the defaults for all else.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            ipv4_address: None,
            ipv6_address: None,
            driver: None,
            driver_options: BTreeMap::new(),
            internal: false,
            ipv6: false,
            subnets: Vec::new(),
            config_from: None,
        }
    }
}

/// A port of the container that is published on its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { target = 80, published = 8080 }")]
pub struct Port {
    /// The name of the port, for example `http`. Default: no name.
    #[serde(default)]
    pub name: String,
    /// The transport. Default: `tcp`.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port on which the container listens.
    #[serde(deserialize_with = "values::port")]
    pub target: NonZeroU16,
    /// The port on the host. Default: a free one.
    #[serde(
        default,
        deserialize_with = "values::some_port",
        skip_serializing_if = "Option::is_none"
    )]
    pub published: Option<NonZeroU16>,
    /// The address of the host. Default: all of them.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

impl Port {
    /// A port that is published under a free one.
    pub fn new(target: NonZeroU16) -> Self {
        let (name, protocol) = (String::new(), Protocol::Tcp);
        Self { name, protocol, target, published: None, address: None }
    }
}
