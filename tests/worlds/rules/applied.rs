//! Rule 9: what a controller took is stored, and nothing else.

use super::super::facts::{Facts, Life};
use super::super::input::{Event, Stored};
use super::super::report::Report;
use super::Rule;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Applied {
    /// The quiet time at which the limit began, of each id of which something was
    /// taken that is not stored.
    due: BTreeMap<String, u64>,
    /// What had happened to each id when the commit began, with the number of its life.
    begun: BTreeMap<String, (usize, Life)>,
}

impl Applied {
    fn check(&mut self, facts: &Facts<'_>, id: &str) {
        let life = facts.life(id);
        let stored = facts.durable.get(id);
        let is_here = life.taken_by == facts.agents && life.last_refused.is_none();
        let is_right = stored.is_none_or(|stored| stored.applied == life.taken);
        if life.taken.is_none() || !is_here || is_right {
            self.due.remove(id);
        } else {
            self.due.entry(id.to_owned()).or_insert(facts.quiet(facts.now));
        }
    }
}

impl Applied {
    /// What happens while a commit is in flight is stored by the next one, so it is right if it
    /// was right when the commit began.
    fn may_be_stored(&self, facts: &Facts<'_>, id: &str, stored: &Stored, applied: &str) -> bool {
        let life = life(facts, id);
        let begun = self.begun.get(id).filter(|(number, _)| *number == facts.life_number(id));
        is_right(&life, stored, applied)
            || begun.is_some_and(|(_, life)| is_right(life, stored, applied))
            || was_found(facts, &life, id, applied)
    }
}

/// What has happened to an id. What the executor is asked for again, it has not refused yet.
fn life(facts: &Facts<'_>, id: &str) -> Life {
    let mut life = facts.life(id);
    for flight in facts.in_flight(id).filter(|flight| flight.call.operation == "controller") {
        life.refused.remove(&flight.call.definition);
    }
    life
}

/// The agent has found it as stored, and its controllers have taken nothing.
fn was_found(facts: &Facts<'_>, life: &Life, id: &str, applied: &str) -> bool {
    let Some(agent) = &facts.agent else { return false };
    let found = agent.opened_with.get(id).and_then(|stored| stored.applied.as_deref());
    life.agent < facts.agents && life.taken_by != facts.agents && found == Some(applied)
}

impl Rule for Applied {
    fn after(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        match &*event.event {
            "crashed" | "ended" => self.due.clear(),
            "return" if matches!(&*event.operation, "controller" | "update") => {
                if event.error.is_none() {
                    self.due.remove(&event.id);
                }
                self.check(facts, &event.id);
            }
            "commit" => {
                let life = |id: &String| (id.clone(), (facts.life_number(id), life(facts, id)));
                self.begun = facts.durable.keys().map(life).collect();
            }
            "committed" => {
                if event.ok == Some(false) {
                    let now = facts.quiet(facts.now);
                    self.due.values_mut().for_each(|since| *since = now);
                }
                for (id, stored) in &event.stored {
                    if let Some(stored) = stored
                        && let Some(applied) = &stored.applied
                        && !facts.is_half_deleted(id)
                        && !self.may_be_stored(facts, id, stored, applied)
                    {
                        report.broken(9, facts.now, format!("`{id}` never took {applied}"));
                    }
                    self.check(facts, id);
                }
            }
            _ => {}
        }
    }

    fn pass(&mut self, facts: &Facts<'_>, to: u64, report: &mut Report) {
        let limit = facts.world.policy.retry_max_ms.saturating_mul(11) / 10 + 100;
        let quiet = facts.quiet(to);
        self.due.retain(|id, since| {
            let is_late = quiet - *since > limit;
            if is_late {
                let taken = facts.life(id).taken;
                report.broken(9, facts.now, format!("`{id}` took {taken:?}, which is not stored"));
            }
            !is_late
        });
    }
}

/// A controller of this life took it, or may be made with it.
fn is_right(life: &Life, stored: &Stored, applied: &str) -> bool {
    let is_free = life.taken.as_ref().is_none_or(|taken| life.refused.contains(taken));
    let is_open = life.wanted.contains(applied) && !life.refused.contains(applied);
    life.ever_taken.contains(applied) || is_free && (is_open || stored.definition == applied)
}
