//! Rule 13: what is found and not assigned is reconciled.

use super::super::facts::Facts;
use super::super::input::Event;
use super::super::ledger::Answer;
use super::super::report::Report;
use super::Rule;
use std::collections::BTreeSet;

#[derive(Default)]
pub(crate) struct Strays {
    /// A full set was accepted, and when the first one was.
    accepted: bool,
    asks_now: bool,
    asked_at: Option<u64>,
    /// The ids that are to be reconciled in this millisecond.
    due: BTreeSet<String>,
}

impl Rule for Strays {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        if event.is("call", &["reconcile"]) {
            self.due.remove(&event.id);
            reconciles(facts, &event.id, report);
        } else if event.event == "call"
            && event.operation != "found"
            && facts.in_flight(&event.id).any(|flight| flight.call.operation == "reconcile")
        {
            let what = format!("{} of `{}` beside reconcile", event.operation, event.id);
            report.broken(13, facts.now, what);
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        match &*event.event {
            "opened" | "crashed" => *self = Self::default(),
            "call" if event.operation == "found" => self.asked_at = Some(facts.now),
            "answer" if event.error.is_none() && !self.accepted => {
                let is_full = facts.world.script[event.index].assign.is_some();
                self.accepted = is_full && facts.agent.is_some();
                self.asks_now = self.accepted;
            }
            "return" if event.operation == "found" && event.error.is_none() => {
                self.due.extend(event.ids.iter().filter(|id| is_stray(facts, id)).cloned());
            }
            _ => {}
        }
    }

    fn pass(&mut self, facts: &Facts<'_>, _: u64, report: &mut Report) {
        let asks = std::mem::take(&mut self.asks_now);
        if asks && self.asked_at != Some(facts.now) && !facts.is_closing() {
            report.broken(13, facts.now, "the executor is not asked what it finds");
        }
        for id in std::mem::take(&mut self.due) {
            if !facts.is_closing() {
                report.broken(13, facts.now, format!("`{id}` is found and not reconciled"));
            }
        }
    }
}

/// Nothing is stored of it or about to be stored, and nothing works on it.
fn is_stray(facts: &Facts<'_>, id: &str) -> bool {
    let is_under_way = facts.ledger.messages.iter().any(|message| {
        matches!(message.answer, Answer::Open | Answer::Failed) && message.names(id)
    });
    let is_stored = facts.actual.contains_key(id) || facts.durable.contains_key(id);
    let is_busy = facts.in_flight(id).next().is_some() || facts.controller(id).is_some();
    !is_under_way && !is_stored && !is_busy && !facts.is_closing()
}

fn reconciles(facts: &Facts<'_>, id: &str, report: &mut Report) {
    if facts.actual.contains_key(id) || facts.durable.contains_key(id) {
        report.broken(13, facts.now, format!("reconcile of `{id}`, which is stored"));
    }
    if facts.controller(id).is_some() {
        report.broken(13, facts.now, format!("reconcile of `{id}` beside its controller"));
    }
    if facts.in_flight(id).any(|flight| flight.call.operation == "reconcile") {
        report.broken(13, facts.now, format!("two reconciles of `{id}` at once"));
    }
}
