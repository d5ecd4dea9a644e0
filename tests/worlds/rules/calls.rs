//! Rules 1, 2, 5, 7 and 18: which operations are called, and when.

use super::super::facts::Facts;
use super::super::input::Event;
use super::super::ledger;
use super::super::report::Report;
use super::Rule;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Calls {
    /// What the controller of each id has refused since the wanted definition
    /// changed last.
    refused: BTreeMap<String, BTreeSet<String>>,
    wanted: BTreeMap<String, BTreeSet<String>>,
    /// The ids whose wanted definition has changed since the last offer began.
    changed: BTreeSet<String>,
}

impl Rule for Calls {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        if event.event == "commit" && facts.commit.is_some() {
            report.broken(1, facts.now, "two commits at once");
        }
        if event.event != "call" || event.operation == "found" {
            return;
        }
        one_at_a_time(facts, event, report);
        let after_the_end = ["inspect", "remove", "close", "controller", "reconcile"];
        if facts.has_ended(&event.id) && !after_the_end.contains(&&*event.operation) {
            report.broken(
                2,
                facts.now,
                format!("{} of `{}` after its end", event.operation, event.id),
            );
        }
        durable(facts, event, report);
        if let (Some(offered), "update") = (&event.offered, &*event.operation) {
            self.updates(facts, event, offered, report);
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        if event.is("return", &["controller"]) && event.error.is_none() {
            self.refused.remove(&event.id);
        }
        let error = event.error.as_ref();
        let is_final =
            error.is_some_and(|error| !event.temporary && !facts.interruptions.contains(error));
        if event.is("call", &["update"]) {
            self.changed.remove(&event.id);
        }
        if event.is("return", &["update"]) && is_final && !self.changed.contains(&event.id) {
            self.refused.entry(event.id.clone()).or_default().extend(event.offered.clone());
        }
        if matches!(&*event.event, "committed" | "opened") {
            for id in event.stored.keys() {
                let wanted = facts.ledger.wants(id).into_iter().flatten().map(|w| w.definition);
                let wanted: BTreeSet<_> = wanted.collect();
                if self.wanted.get(id) != Some(&wanted) {
                    self.refused.remove(id);
                    self.changed.insert(id.clone());
                    self.wanted.insert(id.clone(), wanted);
                }
            }
        }
    }
}

impl Calls {
    fn updates(&self, facts: &Facts<'_>, event: &Event, offered: &str, report: &mut Report) {
        let id = &event.id;
        let wants = facts.ledger.wants(id);
        let ends = |want: &ledger::Want| want.as_ref().is_some_and(|w| w.removing || w.ends());
        let is_ending = facts.controller(id).is_some_and(|controller| controller.is_ending);
        if is_ending || facts.has_ended(id) || wants.iter().all(ends) {
            report.broken(18, facts.now, format!("`{id}` is updated on the way to its end"));
        }
        if self.refused.get(id).is_some_and(|refused| refused.contains(offered)) {
            report.broken(18, facts.now, format!("`{id}` is offered {offered} again"));
        }
    }
}

/// Rule 1.
fn one_at_a_time(facts: &Facts<'_>, event: &Event, report: &mut Report) {
    let Event { operation, id, .. } = event;
    if let Some(other) = facts.in_flight(id).next() {
        let other = &other.call.operation;
        report.broken(1, facts.now, format!("{operation} of `{id}` beside {other}"));
    }
    let needs_none = matches!(&**operation, "controller" | "reconcile");
    match facts.controller(id) {
        None if !needs_none => {
            report.broken(1, facts.now, format!("{operation} of `{id}` without a controller"));
        }
        Some(controller) if !needs_none && controller.definition != event.definition => {
            report.broken(0, facts.now, format!("{operation} of `{id}` has another definition"));
        }
        _ => {}
    }
}

/// Rule 5. What was stored by a message that failed breaks rule 7.
fn durable(facts: &Facts<'_>, event: &Event, report: &mut Report) {
    let holds = |wanted: &ledger::Wanted| match &*event.operation {
        "shutdown" => wanted.ends(),
        "remove" => wanted.removing,
        "update" => Some(&wanted.definition) == event.offered.as_ref(),
        _ => true,
    };
    let was_wanted = |life: &super::super::facts::Life| {
        event.offered.as_ref().is_some_and(|offered| life.wanted.contains(offered))
    };
    let is_right = match &*event.operation {
        "controller" | "shutdown" | "remove" => facts.ledger.any(&event.id, holds),
        "update" => facts.ledger.any(&event.id, holds) || was_wanted(&facts.life(&event.id)),
        _ => true,
    };
    if is_right {
        return;
    }
    let stored = ledger::want(facts.actual.get(&event.id));
    let rule = if stored.as_ref().is_some_and(holds) { 7 } else { 5 };
    report.broken(rule, facts.now, format!("{event:?} has no durable reason"));
}
