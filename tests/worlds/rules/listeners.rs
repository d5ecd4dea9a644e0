//! Rules 3, 4, 16 and a part of 19: what listeners are told, and that no state
//! falls.

use super::super::facts::Facts;
use super::super::input::{Event, Printed, Stored, state};
use super::super::report::Report;
use super::Rule;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Listeners {
    present: BTreeMap<String, Listener>,
    /// The highest state that is stored in each life of an id.
    stored: BTreeMap<(String, usize), usize>,
    /// The highest state that was told in each life, and the agent that told it.
    heard: BTreeMap<(String, usize), (usize, usize)>,
    deleted_at: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Listener {
    /// The last status of each id that was told.
    told: BTreeMap<String, Value>,
    /// The durable statuses that it has still to be told, until it was told all.
    first: Option<BTreeSet<String>>,
    /// A commit was in flight when it came, and still is.
    waits: bool,
    /// The tasks that are gone and of which it was told a status.
    gone: BTreeSet<String>,
    /// The deletions of which it was told.
    heard_gone: BTreeMap<String, u64>,
}

impl Listeners {
    fn listen(&mut self, facts: &Facts<'_>, name: &str) {
        let has_status = |id: &&String| facts.has_durable_status(id);
        let first = facts.durable.keys().filter(has_status).cloned().collect();
        let waits = facts.commit.is_some();
        let listener = Listener { first: Some(first), waits, ..Listener::default() };
        self.present.insert(name.to_owned(), listener);
    }

    fn told(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        let Event { listener: name, id, status, .. } = event;
        let Some(listener) = self.present.get_mut(name) else {
            return report.broken(
                16,
                facts.now,
                format!("`{name}` is told a status, and does not listen"),
            );
        };
        let rank = state(status).unwrap_or_default();
        if listener.told.get(id).and_then(state).is_some_and(|before| rank < before) {
            report.broken(3, facts.now, format!("`{name}` is told that `{id}` falls: {status}"));
        }
        listener.told.insert(id.clone(), status.clone());
        let life = facts.life_number(id);
        let was_just_deleted = self.deleted_at.get(id) == Some(&facts.now);
        let lives = (life.saturating_sub(usize::from(was_just_deleted))..=life).rev();
        let of = lives.filter_map(|life| Some((life, facts.lives.get(&(id.clone(), life))?)));
        match of.filter(|(_, life)| life.statuses.contains(status)).map(|(life, _)| life).next() {
            None => report.broken(4, facts.now, format!("`{name}` is told of `{id}`: {status}")),
            Some(life) => {
                let heard = self.heard.entry((id.clone(), life)).or_insert((facts.agents, rank));
                if heard.0 != facts.agents && rank < heard.1 {
                    report.broken(3, facts.now, format!("`{id}` has fallen: {status}"));
                }
                *heard = (facts.agents, heard.1.max(rank));
            }
        }
    }

    fn gone(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        let Event { listener: name, id, .. } = event;
        let Some(listener) = self.present.get_mut(name) else {
            return report.broken(
                16,
                facts.now,
                format!("`{name}` is told `gone`, and does not listen"),
            );
        };
        listener.told.remove(id);
        let was_due = listener.gone.remove(id);
        let deletion = self.deleted_at.get(id);
        let is_new = listener.heard_gone.get(id) != deletion;
        if !was_due && (deletion != Some(&facts.now) || !is_new) {
            report.broken(16, facts.now, format!("`{name}` is told that `{id}` is gone"));
        }
        listener.heard_gone.extend(deletion.map(|at| (id.clone(), *at)));
    }

    /// Rule 3, in the store.
    fn stored(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        for (id, stored) in &event.stored {
            let Some(rank) = stored.as_ref().and_then(Stored::state) else { continue };
            let highest = self.stored.entry((id.clone(), facts.stored_life(id))).or_default();
            if rank < *highest {
                report.broken(3, facts.now, format!("`{id}` falls in the store"));
            }
            *highest = rank.max(*highest);
        }
    }
}

impl Rule for Listeners {
    fn before(&mut self, facts: &Facts<'_>, event: &Event, _: &mut Report) {
        if event.event == "committed" && event.ok == Some(true) {
            for id in event.deleted.iter().filter(|id| facts.durable.contains_key(*id)) {
                self.deleted_at.insert(id.clone(), facts.now);
                for listener in self.present.values_mut() {
                    if listener.told.contains_key(id) {
                        listener.gone.insert(id.clone());
                    }
                }
            }
        }
    }

    fn after(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        match &*event.event {
            "opened" => self.listen(facts, "first"),
            "crashed" => self.present.clear(),
            "status" => self.told(facts, event, report),
            "gone" => self.gone(facts, event, report),
            "committed" => {
                self.present.values_mut().for_each(|listener| listener.waits = false);
                self.stored(facts, event, report);
            }
            "script" if facts.agent.is_some() => {
                if let Some(name) =
                    facts.world.script.get(event.index).and_then(|e| e.listen.as_ref())
                {
                    self.listen(facts, name);
                }
            }
            "answer" => {
                if let Some(name) =
                    facts.world.script.get(event.index).and_then(|e| e.unlisten.as_ref())
                {
                    self.present.remove(name);
                }
            }
            _ => {}
        }
    }

    fn pass(&mut self, facts: &Facts<'_>, _: u64, report: &mut Report) {
        for (name, listener) in &mut self.present {
            for id in std::mem::take(&mut listener.gone) {
                report.broken(16, facts.now, format!("`{name}` is not told that `{id}` is gone"));
            }
            if listener.waits {
                continue;
            }
            for id in listener.first.take().unwrap_or_default() {
                let is_stored = facts.has_durable_status(&id);
                if is_stored && !listener.told.contains_key(&id) && !facts.is_closing() {
                    report.broken(16, facts.now, format!("`{name}` is not told of `{id}`"));
                }
            }
        }
    }

    fn end(&mut self, facts: &Facts<'_>, printed: &Printed, report: &mut Report) {
        if !facts.is_settled(facts.world.until_ms) {
            return;
        }
        for (name, listener) in &self.present {
            for (id, stored) in &printed.stored {
                let is_known = !facts.ledger.is_doubtful(id);
                if is_known
                    && !stored.status.is_null()
                    && listener.told.get(id) != Some(&stored.status)
                {
                    let what = format!("`{name}` is not told the last status of `{id}`");
                    report.broken(19, facts.now, what);
                }
            }
        }
    }
}
