//! What can be said of a trace without knowing what should have happened: it is
//! said here once more, in few words, lest the model be wrong together with the
//! driver.

use super::cursor::{Check, violation};
use super::input::{Scenario, rank};
use serde_json::Value;
use std::collections::HashMap;

pub(crate) fn check(scenario: &Scenario, trace: &[Value], last: &Value) -> Check {
    times(scenario, trace)?;
    one_in_flight(trace)?;
    states(scenario, trace, last)?;
    close_is_last(trace)?;
    no_spinning(scenario, trace)
}

fn operation(entry: &Value) -> &str {
    entry["operation"].as_str().unwrap_or_default()
}

/// Time goes on, and not beyond the end.
fn times(scenario: &Scenario, trace: &[Value]) -> Check {
    let mut now = 0;
    for entry in trace {
        let at = entry["at_ms"].as_u64().unwrap_or_default();
        if at < now || at > scenario.until_ms {
            return violation(0, format!("{entry} comes after {now}"));
        }
        now = at;
    }
    Ok(())
}

/// Rule 1.
fn one_in_flight(trace: &[Value]) -> Check {
    let mut flight = None;
    for entry in trace {
        let of = Some(operation(entry));
        match entry["event"].as_str() {
            Some("call") if flight.is_none() => flight = of,
            Some("return" | "cancel") if flight == of => flight = None,
            Some("call" | "return" | "cancel") => {
                return violation(1, format!("{entry} while in flight is {flight:?}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Rules 2 and 8, and that no status is told twice.
fn states(scenario: &Scenario, trace: &[Value], last: &Value) -> Check {
    let state = |status: &Value| rank(status["State"].as_str().unwrap_or("new"));
    let mut now = state(&scenario.task.status);
    let mut told = &Value::Null;
    let mut before = &Value::Null;
    for entry in trace {
        match entry["event"].as_str() {
            Some("status") => {
                let next = state(&entry["status"]);
                if next < now {
                    return violation(2, format!("{entry} after {told}"));
                }
                if before["event"] == "cancel"
                    && (rank("preparing")..=rank("running")).contains(&next)
                    && next != now
                {
                    return violation(8, format!("{entry} after {before}"));
                }
                if entry["status"] == *told {
                    return violation(0, format!("{entry} once more"));
                }
                (now, told) = (next, &entry["status"]);
            }
            Some("call")
                if now >= rank("complete") && !matches!(operation(entry), "remove" | "close") =>
            {
                return violation(2, format!("{entry} after {told}"));
            }
            _ => {}
        }
        before = entry;
    }
    if !told.is_null() && told != last {
        return violation(8, format!("final_status is {last}, and the last that was told {told}"));
    }
    Ok(())
}

/// Rule 9.
fn close_is_last(trace: &[Value]) -> Check {
    let close =
        trace.iter().position(|entry| entry["event"] == "call" && operation(entry) == "close");
    let after = close.map_or(&[][..], |close| &trace[close + 1..]);
    let allowed = |entry: &Value| {
        entry["event"] == "ended" || entry["event"] == "return" && operation(entry) == "close"
    };
    match after.iter().find(|entry| !allowed(entry)) {
        Some(entry) => violation(9, format!("{entry} after `close`")),
        None => Ok(()),
    }
}

/// Rule 7. Seven calls are all that can be made in a millisecond in which the
/// agent says nothing: an update, prepare, start, wait, shutdown, terminate; or
/// remove and close. Each thing that it says brings at most an update, and what
/// it has interrupted, once more.
fn no_spinning(scenario: &Scenario, trace: &[Value]) -> Check {
    let mut calls = HashMap::new();
    for entry in trace.iter().filter(|entry| entry["event"] == "call") {
        *calls.entry(entry["at_ms"].as_u64().unwrap_or_default()).or_insert(0) += 1;
    }
    for (at, calls) in calls {
        let said = scenario.script.iter().filter(|entry| entry.at_ms == at).count();
        if calls > 7 + 4 * said {
            return violation(7, format!("{calls} calls at {at}"));
        }
    }
    Ok(())
}
