//! Rules 17 and 19: a shutdown is urgent, and nothing stands still.

use super::super::facts::Facts;
use super::super::input::{COMPLETE, Event, Printed, SHUTDOWN, Stored, rank};
use super::super::report::Report;
use super::Rule;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Progress {
    /// The tasks that get `shutdown` in this millisecond.
    due: BTreeSet<String>,
    /// Of the ids of a commit, those that were to end before it.
    ended_before: BTreeSet<String>,
    /// And those that had ended.
    terminal_before: BTreeSet<String>,
    /// When an operation of each id has failed for the moment.
    retries: BTreeMap<String, u64>,
    /// The tasks whose `remove` has failed for good since the last full set.
    stuck: BTreeSet<String>,
}

fn ends(facts: &Facts<'_>, id: &str) -> bool {
    let wants = facts.ledger.wants(id);
    wants.iter().all(|want| want.as_ref().is_some_and(|w| w.ends() && !w.removing))
}

impl Rule for Progress {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        match &*event.event {
            "committed" => {
                let ids = event.stored.keys().filter(|id| ends(facts, id));
                self.ended_before = ids.cloned().collect();
                let ids = event.stored.keys().filter(|id| facts.has_ended(id));
                self.terminal_before = ids.cloned().collect();
            }
            "call" if matches!(&*event.operation, "shutdown" | "terminate") => {
                self.due.remove(&event.id);
            }
            "crashed" => self.due.clear(),
            _ => {}
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        match &*event.event {
            "committed" if event.ok == Some(true) => {
                for id in event.stored.keys() {
                    let has_ended_before = self.terminal_before.contains(id);
                    // A deadline may have ended it, which only its status tells.
                    let has_ended = has_ended_before || facts.has_ended(id);
                    let is_new = ends(facts, id) && !self.ended_before.contains(id);
                    if is_new && facts.controller(id).is_some() && !has_ended {
                        self.due.insert(id.clone());
                    }
                }
            }
            "return" if event.operation == "inspect" => {}
            "return" if event.error.is_some() => {
                self.retries.remove(&event.id);
                let error = event.error.as_deref().unwrap_or_default();
                if event.temporary || facts.interruptions.contains(error) {
                    self.retries.insert(event.id.clone(), facts.now);
                } else if event.operation == "remove" {
                    self.stuck.insert(event.id.clone());
                }
            }
            "return" => {
                self.retries.remove(&event.id);
                let is_to_end = ends(facts, &event.id) && !facts.has_ended(&event.id);
                if event.operation == "controller" && is_to_end {
                    self.due.insert(event.id.clone());
                }
            }
            "answer"
                if event.error.is_none() && facts.world.script[event.index].assign.is_some() =>
            {
                self.stuck.clear();
            }
            _ => {}
        }
    }

    fn pass(&mut self, facts: &Facts<'_>, _: u64, report: &mut Report) {
        for id in std::mem::take(&mut self.due) {
            let is_terminating = facts.controller(&id).is_none_or(|c| c.is_terminating);
            let life = facts.life(&id);
            // A library may end a task that gets no controller. Its end is stored, or on
            // the way to the store.
            let is_stored = facts.has_ended(&id) || facts.is_storing();
            let is_late = facts.was_late(&life);
            let has_ended =
                life.was_ended || life.may_have_ended || (life.was_put_off || is_late) && is_stored;
            if ends(facts, &id) && !is_terminating && !has_ended && facts.is_open() {
                report.broken(17, facts.now, format!("`{id}` is not shut down at once"));
            }
        }
    }

    fn end(&mut self, facts: &Facts<'_>, printed: &Printed, report: &mut Report) {
        let until = facts.world.until_ms;
        if !facts.is_settled(until) {
            return;
        }
        let form = |stored: &Stored| {
            let status = Some(&stored.status).filter(|status| !is_initial(status));
            let status = status.cloned().unwrap_or_default();
            Stored { applied: None, status, ..stored.clone() }
        };
        let form = |tasks: &BTreeMap<String, Stored>| -> BTreeMap<_, _> {
            let tasks = tasks.iter().filter(|(id, _)| !facts.ledger.is_doubtful(id));
            tasks.map(|(id, stored)| (id.clone(), form(stored))).collect()
        };
        if printed.tasks.as_ref().map(form) != Some(form(&printed.stored)) {
            report.broken(19, facts.now, "`tasks` and the store disagree");
        }
        let patience = facts.world.policy.retry_max_ms.saturating_mul(11) / 10 + 1;
        for (id, stored) in &printed.stored {
            let is_busy = facts.in_flight(id).next().is_some();
            let waits = self.retries.get(id).is_some_and(|since| until - since <= patience);
            let is_done = if stored.removing {
                self.stuck.contains(id)
            } else {
                facts.has_ended(id) || is_where_it_is_wanted(&stored.status, stored)
            };
            if !is_busy && !waits && !is_done && !facts.ledger.is_doubtful(id) {
                report.broken(19, facts.now, format!("`{id}` stands still: {}", stored.status));
            }
        }
    }
}

/// A task without a stored status is ASSIGNED.
fn is_initial(status: &Value) -> bool {
    *status == json!({ "State": "assigned" })
}

fn is_where_it_is_wanted(status: &Value, stored: &Stored) -> bool {
    let desired = rank(&stored.desired_state);
    let state = status["State"].as_str().map(rank);
    state.is_some_and(|state| state >= COMPLETE || desired < SHUTDOWN && state >= desired)
}
