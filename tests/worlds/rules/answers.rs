//! Rules 14 and 15: every message is answered, and `close` ends the agent.

use super::super::facts::Facts;
use super::super::input::{COMPLETE, Event, SHUTDOWN, Stored, rank};
use super::super::ledger::Message;
use super::super::report::Report;
use super::Rule;
use std::collections::{BTreeMap, BTreeSet};

/// How long an answer may take.
const PATIENCE: u64 = 100;

#[derive(Default)]
pub(crate) struct Answers {
    /// How long each open message has waited.
    waited: BTreeMap<usize, u64>,
    /// How long everything has ended, while a `shut_down` is open.
    ended: BTreeMap<usize, u64>,
    /// The tasks that were stored when a `shut_down` was sent, with their lives.
    shut_down: BTreeMap<usize, BTreeMap<String, usize>>,
    /// The `shut_down` that concern just these tasks: no other message was open.
    alone: BTreeSet<usize>,
    late: BTreeSet<usize>,
    closing: Closing,
}

#[derive(Default)]
struct Closing {
    quiet: u64,
    failed: u64,
    /// The slowest `close`; none if one never returns.
    slowest: Option<u64>,
    was_late: bool,
}

impl Rule for Answers {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        match &*event.event {
            "script" if facts.is_closing() => _ = self.late.insert(event.index),
            "answer" => self.answered(facts, event, report),
            "call" if facts.is_closing() && event.operation != "close" => {
                let what = format!("{} of `{}` after the close", event.operation, event.id);
                report.broken(15, facts.now, what);
            }
            "ended" => ended(facts, report),
            _ => {}
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        match &*event.event {
            "opened" | "crashed" => *self = Self::default(),
            "script" => {
                let entry = &facts.world.script[event.index];
                if entry.shut_down && facts.agent.is_some() {
                    let tasks = facts.durable.keys().map(|id| (id.clone(), facts.life_number(id)));
                    self.shut_down.insert(event.index, tasks.collect());
                    if facts.ledger.open().count() == 1
                        && !facts.durable.values().any(|s| s.removing)
                    {
                        self.alone.insert(event.index);
                    }
                }
                let is_first = facts.agent.as_ref().is_some_and(|a| a.closed_at == Some(facts.now));
                if entry.close && is_first {
                    let quiet = facts.quiet(facts.now);
                    self.closing = Closing { quiet, slowest: Some(0), ..Closing::default() };
                    self.slowest(facts);
                    self.waited.clear();
                }
            }
            "call" if event.operation == "close" => self.slowest(facts),
            "committed" if facts.is_closing() && event.ok == Some(false) => {
                self.closing.failed += 1;
            }
            _ => {}
        }
    }

    fn pass(&mut self, facts: &Facts<'_>, to: u64, report: &mut Report) {
        if facts.agent.is_none() {
            return;
        }
        if facts.commit.is_none() {
            for message in facts.ledger.open() {
                self.waits(facts, message, to, report);
            }
        }
        let Closing { quiet, failed, slowest, was_late } = self.closing;
        let has_ended = facts.agent.as_ref().is_some_and(|agent| agent.has_ended);
        if let (true, false, false, Some(slowest)) =
            (facts.is_closing(), has_ended, was_late, slowest)
        {
            let retry = facts.world.policy.retry_max_ms.saturating_mul(1 + failed);
            if facts.quiet(to) - quiet > 1_000 + slowest.saturating_add(retry) {
                report.broken(15, facts.now, "the closed agent has not ended");
                self.closing.was_late = true;
            }
        }
    }
}

impl Answers {
    /// Notes the slowest `close` that is in flight.
    fn slowest(&mut self, facts: &Facts<'_>) {
        for flight in facts.flights().iter().filter(|flight| flight.call.operation == "close") {
            let takes = flight.due.map(|due| due - facts.now.min(due));
            self.closing.slowest =
                self.closing.slowest.and_then(|slowest| Some(slowest.max(takes?)));
        }
    }

    /// Nothing happens for a while, and this message has no answer.
    fn waits(&mut self, facts: &Facts<'_>, message: &Message, to: u64, report: &mut Report) {
        let time = to - facts.now;
        let under_reconcile = facts
            .flights()
            .iter()
            .any(|flight| flight.call.operation == "reconcile" && message.names(&flight.call.id));
        let index = message.index;
        let counts = if message.is_shut_down() && !facts.is_closing() {
            self.is_to_be_shut_down(facts, index)
        } else {
            !under_reconcile || facts.is_closing()
        };
        let is_late = |waited: &mut BTreeMap<usize, u64>, counts: bool| {
            let waited = waited.entry(index).or_default();
            let before = *waited;
            *waited = if counts { before.saturating_add(time) } else { before };
            before <= PATIENCE && *waited > PATIENCE
        };
        if is_late(&mut self.waited, counts) {
            report.broken(14, facts.now, format!("{index} has no answer"));
        }
        let has_ended = message.is_shut_down()
            && (everything_has_ended(facts)
                || self.alone.contains(&index) && self.these_have_ended(facts, index));
        if is_late(&mut self.ended, has_ended) {
            report.broken(14, facts.now, format!("{index} has no answer, and all has ended"));
        }
    }

    /// A task that was there has not ended, and its shutdown is not durable.
    fn is_to_be_shut_down(&self, facts: &Facts<'_>, index: usize) -> bool {
        self.shut_down.get(&index).into_iter().flatten().any(|(id, life)| {
            let has_ended = facts.has_ended(id) || facts.life(id).may_have_ended;
            let runs_on = |want: &super::super::ledger::Want| {
                want.as_ref().is_some_and(|wanted| !wanted.removing && !wanted.ends())
            };
            facts.life_number(id) == *life
                && !has_ended
                && facts.ledger.wants(id).iter().all(runs_on)
        })
    }

    /// Each of the tasks that were there is gone or has ended, and so has a next task of its id
    /// that is to end too.
    fn these_have_ended(&self, facts: &Facts<'_>, index: usize) -> bool {
        self.shut_down.get(&index).into_iter().flatten().all(|(id, life)| {
            let is_gone = facts.life_number(id) != *life;
            facts.durable.get(id).map_or(is_gone, |stored| {
                let runs_on = rank(&stored.desired_state) < SHUTDOWN;
                has_ended(facts, id, stored) || is_gone && (runs_on || stored.removing)
            })
        })
    }

    fn answered(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        let index = event.index;
        let message = facts.ledger.messages.iter().rev().find(|m| m.index == index);
        if message.is_none() || facts.agent.is_none() {
            return;
        }
        if event.error.is_none() && self.late.contains(&index) {
            report.broken(14, facts.now, format!("{index} is ok after the close"));
        }
        if event.error.is_some() {
            return;
        }
        for (id, life) in self.shut_down.get(&index).into_iter().flatten() {
            let is_there =
                |want: &super::super::ledger::Want| want.as_ref().is_some_and(|w| !w.removing);
            let stays =
                facts.life_number(id) == *life && facts.ledger.wants(id).iter().all(is_there);
            let life = facts.life(id);
            let may_have_ended = life.may_have_ended || facts.was_late(&life) && facts.is_storing();
            if stays && !facts.has_ended(id) && !may_have_ended {
                report.broken(14, facts.now, format!("{index} is ok, and `{id}` has not ended"));
            }
        }
    }
}

fn everything_has_ended(facts: &Facts<'_>) -> bool {
    facts.durable.iter().all(|(id, stored)| has_ended(facts, id, stored))
}

fn has_ended(facts: &Facts<'_>, id: &str, stored: &Stored) -> bool {
    let is_terminal = stored.state().is_some_and(|state| state >= COMPLETE);
    is_terminal && !stored.removing && facts.actual.get(id) == Some(stored)
}

/// Rule 15, when `run` has returned.
fn ended(facts: &Facts<'_>, report: &mut Report) {
    let Some(agent) = &facts.agent else { return };
    if agent.closed_at.is_none() {
        report.broken(15, facts.now, "the agent has ended, and was not closed");
    }
    for (id, _) in agent.controllers.iter().filter(|(_, controller)| !controller.is_closed) {
        report.broken(15, facts.now, format!("the controller of `{id}` is not closed"));
    }
}
