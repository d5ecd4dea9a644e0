//! The health check of a service.

use std::time::Duration;

use agent_kit::Problem;

use super::item::Item;
use super::units;
use crate::definition::{HealthCheck, TEST_FORM, is_test};

const KEYS: [&str; 7] =
    ["test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"];

pub(super) fn read(item: &Item<'_>) -> Result<HealthCheck, Problem> {
    let mut check = HealthCheck {
        test: Vec::new(),
        interval: None,
        timeout: None,
        retries: None,
        start_period: None,
        start_interval: None,
    };
    let mut disabled = false;
    for entry in item.known(&KEYS)? {
        let item = &entry.item;
        match entry.key {
            "test" => check.test = test(item)?,
            "interval" => check.interval = Some(duration(item)?),
            "timeout" => check.timeout = Some(duration(item)?),
            "retries" => check.retries = Some(item.parsed("3")?),
            "start_period" => check.start_period = Some(duration(item)?),
            "start_interval" => check.start_interval = Some(duration(item)?),
            _ => disabled = item.boolean()?,
        }
    }
    if disabled {
        check.test = vec!["NONE".to_owned()];
    }
    Ok(check)
}

fn test(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    if !item.is_list() {
        return Ok(vec!["CMD-SHELL".to_owned(), item.text()?]);
    }
    let test = item.texts()?;
    if is_test(&test) { Ok(test) } else { Err(item.problem(TEST_FORM)) }
}

pub(super) fn duration(item: &Item<'_>) -> Result<Duration, Problem> {
    let text = item.text()?;
    units::duration(&text).ok_or_else(|| item.wrong(&text, "30s or 1m30s"))
}
