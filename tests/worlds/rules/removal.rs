//! Rules 8, 10, 11 and 12: controllers are made with the right definition, and no
//! workload is forgotten.

use super::super::facts::{Facts, Life};
use super::super::input::{COMPLETE, Event, state};
use super::super::report::Report;
use super::Rule;
use std::collections::BTreeSet;

#[derive(Default)]
pub(crate) struct Workloads {
    /// The tasks whose `shutdown` failed for good.
    unended: BTreeSet<String>,
}

impl Rule for Workloads {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        match &*event.event {
            "call" => {
                if event.operation == "controller" {
                    made_with(facts, event, report);
                }
                self.escalates(facts, event, report);
            }
            "committed" => {
                for id in event.deleted.iter().filter(|id| !facts.is_half_deleted(id)) {
                    deleted(facts, id, report);
                }
            }
            "status" if state(&event.status).is_some_and(|state| state >= COMPLETE) => {
                self.told_to_have_ended(facts, &event.id, report);
            }
            "crashed" => self.unended.clear(),
            _ => {}
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        let kind_is_final = event.error.is_some() && !event.temporary;
        if event.is("return", &["shutdown"]) && kind_is_final && !is_interrupted(facts, event) {
            self.unended.insert(event.id.clone());
        }
    }
}

/// The world's `canceled` says nothing for good.
fn is_interrupted(facts: &Facts<'_>, event: &Event) -> bool {
    facts.interruptions.contains(event.error.as_deref().unwrap_or_default())
}

impl Workloads {
    /// Rule 11: after a `shutdown` that failed comes `terminate`.
    fn escalates(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        match &*event.operation {
            "terminate" | "remove" | "close" | "reconcile" | "controller" => {
                self.unended.remove(&event.id);
            }
            "inspect" | "found" => {}
            operation => {
                if self.unended.contains(&event.id) {
                    let what = format!("{operation} of `{}` after a failed shutdown", event.id);
                    report.broken(11, facts.now, what);
                }
            }
        }
    }

    fn told_to_have_ended(&self, facts: &Facts<'_>, id: &str, report: &mut Report) {
        if self.unended.contains(id) {
            report.broken(11, facts.now, format!("`{id}` has ended with a failed shutdown"));
        }
        let life = facts.life(id);
        let controllers = facts.agent.as_ref().map(|agent| &agent.controllers);
        let is_excused = life.start_failed
            || life.terminate_failed
            || life.last_refused.is_some()
            || controllers.is_none_or(|controllers| !controllers.contains_key(id))
            || facts.place.was_found(id) && !life.was_started;
        if facts.place.runs(id) && !is_excused {
            report.broken(11, facts.now, format!("`{id}` is told to have ended, and runs"));
        }
    }
}

/// Rule 8.
fn made_with(facts: &Facts<'_>, event: &Event, report: &mut Report) {
    let Event { id, definition, .. } = event;
    let life = facts.life(id);
    let Some(agent) = &facts.agent else { return };
    let is_new_here = life.agent < facts.agents && life.taken_by != facts.agents;
    let opened_with = agent.opened_with.get(id).filter(|_| is_new_here);
    let is_right = match (&life.taken, opened_with.map(|stored| &stored.applied)) {
        (Some(taken), _) if taken == definition => true,
        (_, Some(Some(applied))) if applied == definition => true,
        (Some(taken), Some(Some(applied))) => {
            (life.refused.contains(taken) || life.refused.contains(applied))
                && is_free(facts, &life, id, definition)
        }
        (Some(taken), None) => {
            life.refused.contains(taken) && is_free(facts, &life, id, definition)
        }
        (None, _) | (Some(_), Some(None)) => is_free(facts, &life, id, definition),
    };
    if !is_right {
        let what = format!("`{id}` is made with {definition}; it took {:?}", life.taken);
        report.broken(8, facts.now, what);
    }
}

/// It is wanted, or was wanted and not refused.
fn is_free(facts: &Facts<'_>, life: &Life, id: &str, definition: &str) -> bool {
    let is_wanted = facts.ledger.any(id, |wanted| wanted.definition == definition);
    is_wanted || life.wanted.contains(definition) && !life.refused.contains(definition)
}

/// Rules 10 and 12, when a record goes.
fn deleted(facts: &Facts<'_>, id: &str, report: &mut Report) {
    let life = facts.life(id);
    if life.was_asked && !life.was_removed && life.last_refused.is_none() {
        report.broken(12, facts.now, format!("`{id}` was never removed"));
    }
    let refused_it = |refused: &String| facts.place.belongs_to(id, refused);
    let is_refused = life.last_refused.as_ref().is_some_and(refused_it);
    let is_stray = facts.place.is_stray(id) && (life.last_refused.is_some() || !life.was_asked);
    if facts.place.has_left(id) && !is_refused && !is_stray {
        report.broken(10, facts.now, format!("something is left of `{id}`"));
    }
}
