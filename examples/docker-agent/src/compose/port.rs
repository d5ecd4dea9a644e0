//! The published ports of a service.

use std::net::IpAddr;
use std::num::NonZeroU16;

use agent_kit::Problem;
use onward::lifecycle::Protocol;

use super::item::Item;
use crate::definition::Port;

const KEYS: [&str; 6] = ["name", "target", "published", "host_ip", "protocol", "mode"];
const RIGHT: &str = "80, 8080:80, 127.0.0.1:8080:80/tcp or 8080-8081:80-81";

pub(super) fn read(item: &Item<'_>) -> Result<Vec<Port>, Problem> {
    let mut ports = Vec::new();
    for item in item.items()? {
        if item.is_map() {
            ports.push(long(&item)?);
        } else {
            short(&item, &mut ports)?;
        }
    }
    Ok(ports)
}

/// `[[address:]published:]target[/protocol]`, where ports can be ranges of the same length.
fn short(item: &Item<'_>, ports: &mut Vec<Port>) -> Result<(), Problem> {
    let text = item.text()?;
    let wrong = || item.wrong(&text, RIGHT);
    let (numbers, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let protocol: Protocol = protocol.parse().map_err(|_| wrong())?;
    let (front, target) = match numbers.rsplit_once(':') {
        Some((front, target)) => (Some(front), target),
        None => (None, numbers),
    };
    let (address, published) = match front.map(|front| front.rsplit_once(':').ok_or(front)) {
        Some(Ok((address, published))) => (Some(address), Some(published)),
        Some(Err(published)) => (None, Some(published)),
        None => (None, None),
    };
    let address = match address {
        Some(address) => {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            Some(bare.unwrap_or(address).parse::<IpAddr>().map_err(|_| wrong())?)
        }
        None => None,
    };
    let targets = range(target).ok_or_else(wrong)?;
    let published = published.filter(|published| !published.is_empty());
    let published = match published.map(range) {
        Some(Some(published)) if published.len() == targets.len() => Some(published),
        Some(Some(_)) => {
            return Err(item.problem(
                "the ranges have different lengths; write one port of the host for each of the container",
            ));
        }
        Some(None) => return Err(wrong()),
        None => None,
    };
    for (index, target) in targets.iter().enumerate() {
        let published = published.as_ref().and_then(|all| all.get(index)).copied();
        ports.push(Port { protocol, published, address, ..Port::new(*target) });
    }
    Ok(())
}

/// One port, or the first and the last one.
fn range(text: &str) -> Option<Vec<NonZeroU16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    let ports: Option<Vec<_>> = (first..=last).map(NonZeroU16::new).collect();
    ports.filter(|ports| !ports.is_empty())
}

fn long(item: &Item<'_>) -> Result<Port, Problem> {
    let (mut target, mut published, mut address) = (None, None, None);
    let (mut protocol, mut name) = (Protocol::Tcp, String::new());
    for entry in item.known(&KEYS)? {
        let item = &entry.item;
        match entry.key {
            "name" => name = item.text()?,
            "target" => target = Some(item.parsed::<NonZeroU16>("80")?),
            "published" => published = Some(item.parsed::<NonZeroU16>("8080, not a range")?),
            "host_ip" => address = Some(item.parsed::<IpAddr>("127.0.0.1")?),
            "protocol" => protocol = item.parsed("tcp, udp or sctp")?,
            // Without a swarm, both publish the port on the engine's host.
            _ => match item.text()?.as_str() {
                "host" | "ingress" => {}
                other => return Err(item.wrong(other, "host")),
            },
        }
    }
    let target = target.ok_or_else(|| item.problem("there is no `target`; add one such as 80"))?;
    Ok(Port { name, protocol, published, address, ..Port::new(target) })
}
