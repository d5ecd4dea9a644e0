//! The limits of a service: `deploy`, `mem_limit`, `cpus`, `ulimits` and others.

use agent_kit::Problem;

use super::item::Item;
use super::units;
use crate::definition::{Cpus, Resources, Ulimit};

/// Reads `deploy`: the resources of one container. What a scheduler does has no counterpart.
pub(super) fn deploy(item: &Item<'_>, resources: &mut Resources) -> Result<(), Problem> {
    for entry in item.known(&["mode", "replicas", "resources", "restart_policy"])? {
        let item = &entry.item;
        match entry.key {
            "mode" => match item.text()?.as_str() {
                "replicated" => {}
                other => return Err(item.wrong(other, "replicated, or leave it out")),
            },
            "replicas" => one(item)?,
            "restart_policy" => restart_policy(item)?,
            _ => {
                for entry in item.known(&["limits", "reservations"])? {
                    match entry.key {
                        "limits" => limits(&entry.item, resources)?,
                        _ => reservations(&entry.item, resources)?,
                    }
                }
            }
        }
    }
    Ok(())
}

fn limits(item: &Item<'_>, resources: &mut Resources) -> Result<(), Problem> {
    for entry in item.known(&["cpus", "memory", "pids"])? {
        match entry.key {
            "cpus" => cpus(&entry.item, resources)?,
            "memory" => set(&entry.item, &mut resources.memory, size(&entry.item)?)?,
            _ => set(&entry.item, &mut resources.pids, entry.item.parsed("100")?)?,
        }
    }
    Ok(())
}

fn reservations(item: &Item<'_>, resources: &mut Resources) -> Result<(), Problem> {
    for entry in item.known(&["memory"])? {
        set(&entry.item, &mut resources.memory_reservation, size(&entry.item)?)?;
    }
    Ok(())
}

fn restart_policy(item: &Item<'_>) -> Result<(), Problem> {
    for entry in item.known(&["condition"])? {
        let condition = entry.item.text()?;
        if condition != "none" {
            return Err(entry.item.problem(RESTART));
        }
    }
    Ok(())
}

/// Why a container is not started again.
pub(super) const RESTART: &str =
    "a task runs its container once, and the agent does not start it again; leave the key out";

/// Refuses more than one container.
pub(super) fn one(item: &Item<'_>) -> Result<(), Problem> {
    match item.parsed::<u64>("1")? {
        1 => Ok(()),
        count => Err(item.problem(format!(
            "a service is one task, but {count} containers are wanted; write one service for each"
        ))),
    }
}

pub(super) fn cpus(item: &Item<'_>, resources: &mut Resources) -> Result<(), Problem> {
    let number: f64 = item.parsed("0.5 or 2")?;
    if number.abs() < f64::EPSILON {
        return Ok(()); // no limit
    }
    // The type checks the bounds where it is read.
    let cpus: Result<Cpus, _> = serde_json::from_value(serde_json::json!(number));
    let cpus = cpus.map_err(|_| item.wrong(&number.to_string(), "0.5 or 2"))?;
    set(item, &mut resources.cpus, cpus)
}

/// Sets a value that two keys can have. They must agree.
pub(super) fn set<T: PartialEq>(
    item: &Item<'_>,
    slot: &mut Option<T>,
    value: T,
) -> Result<(), Problem> {
    match slot {
        Some(other) if *other != value => {
            Err(item
                .problem("another key of the service has a different value; leave out one of them"))
        }
        Some(_) | None => {
            *slot = Some(value);
            Ok(())
        }
    }
}

pub(super) fn size(item: &Item<'_>) -> Result<i64, Problem> {
    let text = item.text()?;
    units::size(&text).ok_or_else(|| item.wrong(&text, "64m or 1g"))
}

/// A size, or -1 for no limit.
pub(super) fn size_or_unlimited(item: &Item<'_>) -> Result<i64, Problem> {
    if item.text()? == "-1" { Ok(-1) } else { size(item) }
}

pub(super) fn ulimits(item: &Item<'_>) -> Result<Vec<Ulimit>, Problem> {
    let entries = item.entries()?.into_iter();
    let limits = entries.map(|entry| {
        let name = entry.key.to_owned();
        if !entry.item.is_map() {
            let both = entry.item.parsed("1024")?;
            return Ok(Ulimit { name, soft: both, hard: both });
        }
        let (mut soft, mut hard) = (None, None);
        for entry in entry.item.known(&["soft", "hard"])? {
            let value: i64 = entry.item.parsed("1024")?;
            if entry.key == "soft" { soft = Some(value) } else { hard = Some(value) }
        }
        match (soft, hard) {
            (Some(soft), Some(hard)) => Ok(Ulimit { name, soft, hard }),
            _ => Err(entry.item.problem("`soft` and `hard` are both needed")),
        }
    });
    limits.collect()
}
