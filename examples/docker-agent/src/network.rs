//! Networks of the agent: made when a task needs them, removed with the last task that has them.

use std::collections::HashMap;

use bollard::models::{
    ConfigReference, Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest, NetworkInspect,
};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions};
use onward::exec::ControllerError;

use crate::container::{Container, Found};
use crate::create::{endpoint, is_builtin};
use crate::definition::{Network, Subnet};
use crate::error::{CONFLICT, is_not_found, status, unanswered};
use crate::executor::Shared;
use crate::labels;

/// Has endpoints, so it is in use.
const FORBIDDEN: u16 = 403;

impl Container {
    /// Makes the networks that the engine does not have.
    pub(crate) async fn make_networks(&self) -> Result<(), ControllerError> {
        // Engines before version 25 make a second network of the same name.
        let _one_at_a_time = self.shared.new_networks.lock().await;
        for network in &self.definition.networks {
            if is_builtin(&network.name) || self.shared.network(&network.name).await?.is_some() {
                continue;
            }
            let client = self.shared.engine.client().await?;
            match client.create_network(request(network, &self.shared.agent)).await {
                Ok(_) => {}
                // Another agent has just created it.
                Err(error) if status(&error) == Some(CONFLICT) => {}
                Err(error) => {
                    let Network { name, .. } = network;
                    let what = format!("the network {name:?} cannot be created");
                    return Err(self.shared.failed(what, error));
                }
            }
        }
        Ok(())
    }

    /// Connects the container to the networks that it is not connected to. The first one is part
    /// of the request that creates it.
    pub(crate) async fn connect_networks(&self, found: &Found) -> Result<(), ControllerError> {
        let settings = found.inspection.network_settings.as_ref();
        let connected = settings.and_then(|settings| settings.networks.as_ref());
        let is_connected =
            |name: &str| connected.is_some_and(|connected| connected.contains_key(name));
        let missing = self.definition.networks.iter().skip(1);
        for network in missing.filter(|network| !is_connected(&network.name)) {
            let Network { name, .. } = network;
            let id = self.shared.network(name).await?.and_then(|network| network.id);
            let Some(id) = id else {
                let told = format!("the network {name:?} was removed by someone else");
                return Err(ControllerError::new(told).temporary());
            };
            let request = NetworkConnectRequest {
                container: found.id.clone(),
                endpoint_config: Some(endpoint(network)),
            };
            let client = self.shared.engine.client().await?;
            client.connect_network(&id, request).await.map_err(|error| {
                let what = format!("the container cannot be connected to the network {name:?}");
                self.shared.failed(what, error)
            })?;
        }
        Ok(())
    }
}

impl Shared {
    /// Removes the networks that this agent has made and no container has any more.
    pub(crate) async fn remove_networks(&self, names: &[String]) -> Result<(), ControllerError> {
        for name in names.iter().filter(|name| !is_builtin(name)) {
            let Some(network) = self.network(name).await? else { continue };
            let owner = network.labels.as_ref().and_then(|labels| labels.get(labels::AGENT));
            let (Some(id), true) = (network.id, owner == Some(&self.agent)) else { continue };
            let client = self.engine.client().await?;
            // Containers that were not started count too.
            let options = ListContainersOptions {
                all: true,
                filters: Some(HashMap::from([("network".to_owned(), vec![id.clone()])])),
                ..Default::default()
            };
            let told = |error| unanswered(format!("the network {name:?} cannot be removed"), error);
            if !client.list_containers(Some(options)).await.map_err(told)?.is_empty() {
                continue;
            }
            match client.remove_network(&id).await {
                Ok(()) => {}
                // It is gone, or another agent's container has it.
                Err(error) if is_not_found(&error) || is_in_use(status(&error)) => {}
                Err(error) => return Err(told(error)),
            }
        }
        Ok(())
    }

    /// The engine's network of this name. The name is not part of the request's path, so it may
    /// have any characters.
    async fn network(&self, name: &str) -> Result<Option<NetworkInspect>, ControllerError> {
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let client = self.engine.client().await?;
        let listed =
            client.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
        let listed = listed.map_err(|error| unanswered("networks cannot be listed", error))?;
        // The filter finds parts of names too.
        let mut named = listed.into_iter().filter(|network| network.name.as_deref() == Some(name));
        Ok(named.next().map(|network| NetworkInspect {
            id: network.id,
            labels: network.labels,
            ..NetworkInspect::default()
        }))
    }
}

fn is_in_use(status: Option<u16>) -> bool {
    matches!(status, Some(FORBIDDEN | CONFLICT))
}

fn request(network: &Network, agent: &str) -> NetworkCreateRequest {
    let subnets = network.subnets.iter().cloned().map(|Subnet { subnet, range, gateway }| {
        IpamConfig { subnet: Some(subnet), ip_range: range, gateway, ..IpamConfig::default() }
    });
    let options = network.driver_options.clone().into_iter().collect::<HashMap<_, _>>();
    NetworkCreateRequest {
        name: network.name.clone(),
        driver: network.driver.clone(),
        internal: Some(network.internal),
        enable_ipv6: network.ipv6.then_some(true),
        ipam: (!network.subnets.is_empty())
            .then(|| Ipam { config: Some(subnets.collect()), ..Ipam::default() }),
        config_from: network
            .config_from
            .clone()
            .map(|network| ConfigReference { network: Some(network) }),
        options: (!options.is_empty()).then_some(options),
        labels: Some(HashMap::from([(labels::AGENT.to_owned(), agent.to_owned())])),
        ..NetworkCreateRequest::default()
    }
}
