//! Rule 9: what a controller took is stored, and nothing else.

use super::super::facts::Facts;
use super::super::input::{Event, Stored};
use super::super::report::Report;
use super::Rule;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Applied {
    /// The quiet time at which the limit began, of each id of which something was
    /// taken that is not stored.
    due: BTreeMap<String, u64>,
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
            "committed" => {
                if event.ok == Some(false) {
                    let now = facts.quiet(facts.now);
                    self.due.values_mut().for_each(|since| *since = now);
                }
                for (id, stored) in &event.stored {
                    if let Some(stored) = stored
                        && let Some(applied) = &stored.applied
                        && !facts.is_half_deleted(id)
                        && !may_be_stored(facts, id, stored, applied)
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

fn may_be_stored(facts: &Facts<'_>, id: &str, stored: &Stored, applied: &str) -> bool {
    let life = facts.life(id);
    let is_free = life.taken.as_ref().is_none_or(|taken| life.refused.contains(taken));
    life.ever_taken.contains(applied)
        || is_free && (life.wanted.contains(applied) || stored.definition == applied)
}
