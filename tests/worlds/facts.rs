//! What is known at each moment of a trace: the store, the agent, its controllers
//! and calls, and the world. Whatever cannot be so breaks rule 0.

use super::input::{COMPLETE, Call, Entry, Event, Stored, World, state};
use super::ledger::{self, Ledger};
use super::place::Place;
use super::report::Report;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Facts<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: u64,
    /// None between a crash and the restart.
    pub(crate) agent: Option<Agent>,
    pub(crate) agents: usize,
    pub(crate) place: Place,
    /// What is stored, durable or not.
    pub(crate) actual: BTreeMap<String, Stored>,
    /// What the last commit of each id that succeeded has stored, or the opening.
    pub(crate) durable: BTreeMap<String, Stored>,
    /// The statuses that a failed commit has written: the agent does not know whether
    /// they are stored.
    doubtful_statuses: BTreeMap<String, Value>,
    actual_lives: BTreeMap<String, usize>,
    durable_lives: BTreeMap<String, usize>,
    pub(crate) lives: BTreeMap<(String, usize), Life>,
    pub(crate) ledger: Ledger,
    /// The texts of the errors that say nothing for good: `canceled` and the like.
    pub(crate) interruptions: BTreeSet<String>,
    pub(crate) commit: Option<Commit>,
    commits: usize,
    flight: u64,
    commit_failed_at: Option<u64>,
    pub(crate) last_commit: u64,
    pub(crate) last_script: u64,
    last_opened: u64,
    opens_at: Option<u64>,
    order: Vec<usize>,
    scripted: usize,
}

/// The agent that lives.
#[derive(Default)]
pub(crate) struct Agent {
    pub(crate) opened_with: BTreeMap<String, Stored>,
    pub(crate) closed_at: Option<u64>,
    pub(crate) has_ended: bool,
    pub(crate) controllers: BTreeMap<String, Controller>,
    pub(crate) flights: Vec<Flight>,
    counts: BTreeMap<[String; 3], usize>,
}

/// A controller that was made.
#[derive(Clone, Default)]
pub(crate) struct Controller {
    pub(crate) definition: String,
    pub(crate) is_closed: bool,
    /// `shutdown` or `terminate` was called.
    pub(crate) is_ending: bool,
    pub(crate) is_terminating: bool,
}

/// A call in flight.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) call: Event,
    pub(crate) due: Option<u64>,
    plan: Call,
    /// `wait` returns what is known.
    known: bool,
}

pub(crate) struct Commit {
    due: Option<u64>,
    since: u64,
    plan: super::input::Commit,
}

/// What happened in one life of a task.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Life {
    /// The agent in which its record became durable.
    pub(crate) agent: usize,
    /// The definition that a controller took last, and all that were taken.
    pub(crate) taken: Option<String>,
    /// The agent whose controller took it.
    pub(crate) taken_by: usize,
    pub(crate) ever_taken: BTreeSet<String>,
    /// The definitions that were wanted durably.
    pub(crate) wanted: BTreeSet<String>,
    /// The definitions that the executor refused for good.
    pub(crate) refused: BTreeSet<String>,
    pub(crate) was_asked: bool,
    /// The executor's last answer was to refuse this for good.
    pub(crate) last_refused: Option<String>,
    pub(crate) was_removed: bool,
    pub(crate) start_failed: bool,
    pub(crate) terminate_failed: bool,
    pub(crate) was_started: bool,
    /// An operation has ended it, or a terminal state is durable.
    pub(crate) has_ended: bool,
    /// An operation of this agent has ended it.
    pub(crate) was_ended: bool,
    /// The executor gave no controller, perhaps for the moment.
    pub(crate) was_put_off: bool,
    /// Something has failed for good, so that it may have ended.
    pub(crate) may_have_ended: bool,
    pub(crate) statuses: Vec<Value>,
    /// When this agent called `prepare` first.
    pub(crate) prepared_at: Option<u64>,
}

/// An operation that can take effect when it begins.
fn takes_effect(event: &Event) -> bool {
    matches!(
        &*event.operation,
        "prepare" | "start" | "shutdown" | "terminate" | "remove" | "reconcile"
    )
}

impl<'a> Facts<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            now: 0,
            agent: None,
            agents: 0,
            place: Place::with(&world.found.strays),
            actual: BTreeMap::new(),
            durable: BTreeMap::new(),
            doubtful_statuses: BTreeMap::new(),
            actual_lives: BTreeMap::new(),
            durable_lives: BTreeMap::new(),
            lives: BTreeMap::new(),
            ledger: Ledger::default(),
            interruptions: world.interruptions(),
            commit: None,
            commits: 0,
            flight: 0,
            commit_failed_at: None,
            last_commit: 0,
            last_script: 0,
            last_opened: 0,
            opens_at: Some(0),
            order: world.order(),
            scripted: 0,
        }
    }

    /// The life of an id that is durable now.
    pub(crate) fn life_number(&self, id: &str) -> usize {
        self.durable_lives.get(id).copied().unwrap_or_default()
    }

    pub(crate) fn life(&self, id: &str) -> Life {
        self.lives.get(&(id.to_owned(), self.life_number(id))).cloned().unwrap_or_default()
    }

    fn life_mut(&mut self, id: &str) -> &mut Life {
        let number = self.life_number(id);
        self.lives.entry((id.to_owned(), number)).or_default()
    }

    /// The life of an id that is stored now, durable or not.
    pub(crate) fn stored_life(&self, id: &str) -> usize {
        self.actual_lives.get(id).copied().unwrap_or_default()
    }

    /// Script and store were quiet for long enough, and the agent lives.
    pub(crate) fn is_settled(&self, at: u64) -> bool {
        let last = self.last_script.max(self.last_commit).max(self.last_opened);
        let patience = self.world.policy.retry_max_ms.saturating_mul(3).saturating_add(20_000);
        self.is_open() && self.commit.is_none() && at - last >= patience
    }

    /// The status of an id is stored, and the agent knows it.
    pub(crate) fn has_durable_status(&self, id: &str) -> bool {
        let stored = self.durable.get(id).filter(|stored| !stored.status.is_null());
        stored.is_some_and(|stored| self.doubtful_statuses.get(id) != Some(&stored.status))
    }

    /// A failed commit has deleted its record.
    pub(crate) fn is_half_deleted(&self, id: &str) -> bool {
        self.actual_lives.get(id) != self.durable_lives.get(id)
    }

    pub(crate) fn has_ended(&self, id: &str) -> bool {
        let is_terminal = |stored: &Stored| stored.state().is_some_and(|state| state >= COMPLETE);
        self.life(id).has_ended || self.durable.get(id).is_some_and(is_terminal)
    }

    /// The status of a task is on the way to the store, or was until just now.
    pub(crate) fn is_storing(&self) -> bool {
        self.commit.is_some() || self.commit_failed_at == Some(self.now)
    }

    /// The deadline of `prepare` was over before, so it may have ended the task.
    pub(crate) fn was_late(&self, life: &Life) -> bool {
        let allowed = self.world.policy.prepare_deadline_ms;
        let (Some(since), Some(allowed)) = (life.prepared_at, allowed) else { return false };
        since.saturating_add(allowed) < self.now
    }

    /// The time in which no commit was in flight, from the beginning until then.
    pub(crate) fn quiet(&self, at: u64) -> u64 {
        let since = self.commit.as_ref().map_or(0, |commit| at.saturating_sub(commit.since));
        at.saturating_sub(self.flight + since)
    }

    pub(crate) fn flights(&self) -> &[Flight] {
        self.agent.as_ref().map_or(&[], |agent| &agent.flights)
    }

    pub(crate) fn in_flight(&self, id: &str) -> impl Iterator<Item = &Flight> {
        self.flights().iter().filter(move |flight| flight.call.id == id)
    }

    pub(crate) fn controller(&self, id: &str) -> Option<&Controller> {
        let controller = self.agent.as_ref()?.controllers.get(id)?;
        Some(controller).filter(|controller| !controller.is_closed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.closed_at.is_some())
    }

    /// An agent lives that was not closed.
    pub(crate) fn is_open(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.closed_at.is_none())
    }

    /// Time goes on.
    pub(crate) fn advance(&mut self, to: u64, report: &mut Report) {
        for flight in self.flights() {
            if flight.due.is_some_and(|due| due < to) {
                report.broken(0, self.now, format!("{:?} should have returned", flight.call));
            }
        }
        if let Some(agent) = &mut self.agent {
            agent.flights.retain(|flight| flight.due.is_none_or(|due| due >= to));
        }
        if self.commit.as_ref().and_then(|commit| commit.due).is_some_and(|due| due < to) {
            report.broken(0, self.now, "the commit should have returned");
        }
        if self.opens_at.is_some_and(|at| at < to) {
            report.broken(0, self.now, "the agent should have begun");
            self.opens_at = None;
        }
        while let Some(index) = self.order.get(self.scripted).copied() {
            if self.world.script[index].at_ms >= to {
                break;
            }
            report.broken(0, self.now, format!("entry {index} of the script is missing"));
            self.scripted += 1;
        }
        self.now = to;
    }

    /// Takes an entry of the trace.
    pub(crate) fn apply(&mut self, event: &Event, report: &mut Report) {
        let needs_agent = !matches!(&*event.event, "opened" | "script" | "answer");
        if needs_agent && self.agent.is_none() {
            return report.broken(0, self.now, format!("{event:?} without an agent"));
        }
        match &*event.event {
            "opened" => self.opened(event, report),
            "script" => self.script(event, report),
            "answer" => self.answer(event, report),
            "commit" => self.commits(),
            "committed" => self.committed(event, report),
            "call" => self.call(event),
            "return" => self.returned(event, report),
            "cancel" => _ = self.landed(event, report),
            "status" | "gone" => {}
            "crashed" => {
                let wants = self.order.get(self.scripted.wrapping_sub(1));
                let crash = wants.and_then(|index| self.world.script[*index].crash.as_ref());
                match crash {
                    Some(crash) => self.opens_at = Some(self.now + crash.restart_ms),
                    None => report.broken(0, self.now, "a crash that is not in the script"),
                }
                if self.commit.is_some() {
                    report.broken(0, self.now, "a commit in flight has no end at the crash");
                }
                self.agent = None;
            }
            "ended" => {
                if let Some(agent) = &mut self.agent {
                    agent.has_ended = true;
                }
            }
            other => report.broken(0, self.now, format!("unknown event {other}")),
        }
    }

    fn opened(&mut self, event: &Event, report: &mut Report) {
        if self.opens_at.take() != Some(self.now) {
            report.broken(0, self.now, "an agent begins at a wrong time");
        }
        let stored: BTreeMap<_, _> = event
            .stored
            .iter()
            .filter_map(|(id, stored)| Some((id.clone(), stored.clone()?)))
            .collect();
        if stored != self.actual {
            report.broken(0, self.now, "the agent reads what is not stored");
        }
        let half: BTreeSet<_> =
            self.actual_lives.keys().filter(|id| self.is_half_deleted(id)).cloned().collect();
        if let Some(what) = self.ledger.opened(&stored, |id| half.contains(id)) {
            report.broken(6, self.now, what);
        }
        self.durable_lives = self.actual_lives.clone();
        self.durable.clone_from(&stored);
        self.doubtful_statuses.clear();
        self.last_opened = self.now;
        for id in stored.keys() {
            self.note_durable(id);
            let is_terminal = self.durable.get(id).and_then(Stored::state) >= Some(COMPLETE);
            let life = self.life_mut(id);
            life.refused.clear();
            // What is not stored, the new agent cannot know.
            (life.has_ended, life.may_have_ended) = (is_terminal, is_terminal);
            (life.was_ended, life.was_put_off) = (false, false);
            life.prepared_at = None;
        }
        // What is found is of an earlier agent, which may have done more than is stored.
        self.agents += 1;
        self.agent = Some(Agent { opened_with: stored, ..Agent::default() });
    }

    fn script(&mut self, event: &Event, report: &mut Report) {
        let next = self.order.get(self.scripted).copied();
        self.scripted += 1;
        self.last_script = self.now;
        let Some(entry) = self.world.script.get(event.index).filter(|_| next == Some(event.index))
        else {
            return report.broken(0, self.now, format!("entry {} is not the next", event.index));
        };
        if entry.at_ms != self.now {
            report.broken(0, self.now, format!("entry {} comes at a wrong time", event.index));
        }
        if let Some(flight) =
            self.flights().iter().find(|f| f.due.is_some_and(|due| due <= self.now))
        {
            report.broken(0, self.now, format!("{:?} returns before the script", flight.call));
        }
        if entry.close
            && let Some(agent) = &mut self.agent
        {
            agent.closed_at.get_or_insert(self.now);
        }
        if self.agent.is_some() {
            self.ledger.send(event.index, self.now, entry);
        }
    }

    fn answer(&mut self, event: &Event, report: &mut Report) {
        if self.agent.is_none() {
            if event.error.as_deref() != Some("no agent") {
                report.broken(0, self.now, "an answer without an agent");
            }
            return;
        }
        let number = self.ledger.messages.iter().rev().find(|m| m.index == event.index);
        let entry = self.world.script.get(event.index);
        let is_message =
            entry.is_some_and(|e| e.assign.is_some() || e.update.is_some() || e.shut_down);
        if is_message && number.is_none_or(|message| message.answer != ledger::Answer::Open) {
            return report.broken(0, self.now, format!("{} is answered again", event.index));
        }
        let sent_at = number.map(|message| message.sent_at);
        let is_unstored = sent_at.is_some() && self.commit_failed_at >= sent_at;
        let names_twice = entry.is_some_and(Entry::names_twice);
        if is_message && event.error.is_some() && !self.is_closing() && !is_unstored && !names_twice
        {
            report.broken(6, self.now, format!("{} fails without a reason", event.index));
        }
        if event.error.is_none() {
            let half: BTreeSet<_> =
                self.actual_lives.keys().filter(|id| self.is_half_deleted(id)).cloned().collect();
            let half = |id: &str| half.contains(id);
            let wrong = self.ledger.accepted(event.index, &event.refused, &self.actual, half);
            for (rule, what) in wrong {
                report.broken(rule, self.now, what);
            }
        } else if let Some(what) = self.ledger.failed(event.index) {
            report.broken(7, self.now, what);
        }
    }

    fn commits(&mut self) {
        let plan = self.world.commit(self.now, self.commits);
        self.commits += 1;
        let due = plan.takes_ms.map(|takes| self.now.saturating_add(takes));
        self.commit = Some(Commit { due, since: self.now, plan });
        self.last_commit = self.now;
    }

    fn committed(&mut self, event: &Event, report: &mut Report) {
        let Some(commit) = self.commit.take() else {
            return report.broken(0, self.now, "a commit ends that never began");
        };
        self.flight += self.now - commit.since;
        self.last_commit = self.now;
        if event.ok.is_some() && commit.due != Some(self.now) {
            report.broken(0, self.now, "a commit ends at a wrong time");
        }
        if event.ok.is_some_and(|ok| ok == commit.plan.fails) {
            report.broken(0, self.now, "a commit ends with a wrong outcome");
        }
        if event.ok != Some(true) && commit.plan.written != "all" {
            let is_same =
                |(id, stored): (&String, &Option<Stored>)| self.actual.get(id) == stored.as_ref();
            if !event.deleted.is_empty() || !event.stored.iter().all(is_same) {
                report.broken(0, self.now, "a commit has written what it should not");
            }
        }
        if event.ok == Some(false) {
            self.commit_failed_at = Some(self.now);
        }
        for id in &event.deleted {
            *self.actual_lives.entry(id.clone()).or_default() += 1;
        }
        for (id, stored) in &event.stored {
            let before = ledger::want(self.actual.get(id));
            match stored {
                Some(stored) => _ = self.actual.insert(id.clone(), stored.clone()),
                None => _ = self.actual.remove(id),
            }
            let status = stored.as_ref().map(|stored| &stored.status);
            if event.ok == Some(true) {
                self.doubtful_statuses.retain(|other, was| other != id || status == Some(was));
            } else if status != self.durable.get(id).map(|stored| &stored.status) {
                self.doubtful_statuses.extend(status.map(|status| (id.clone(), status.clone())));
            }
            if event.ok == Some(true) {
                let after = ledger::want(stored.as_ref());
                let deletes = self.is_half_deleted(id);
                if let Err(what) = self.ledger.committed(id, &before, &after, deletes) {
                    report.broken(6, self.now, what);
                }
                let life = self.actual_lives.get(id).copied().unwrap_or_default();
                self.durable_lives.insert(id.clone(), life);
                self.actual_lives.insert(id.clone(), life);
                match stored {
                    Some(stored) => _ = self.durable.insert(id.clone(), stored.clone()),
                    None => _ = self.durable.remove(id),
                }
                self.note_durable(id);
            }
        }
    }

    /// What is stored of an id has become durable.
    fn note_durable(&mut self, id: &str) {
        let Some(stored) = self.durable.get(id).cloned() else { return };
        let wants = self.ledger.wants(id);
        let agents = self.agents;
        let number = self.life_number(id);
        let life = self
            .lives
            .entry((id.to_owned(), number))
            .or_insert_with(|| Life { agent: agents, ..Life::default() });
        life.wanted.extend(wants.into_iter().flatten().map(|wanted| wanted.definition));
        if !stored.status.is_null() && !life.statuses.contains(&stored.status) {
            life.statuses.push(stored.status.clone());
        }
        life.has_ended |= state(&stored.status).is_some_and(|state| state >= COMPLETE);
    }

    fn call(&mut self, event: &Event) {
        let definition = match &*event.operation {
            "update" => event.offered.clone().unwrap_or_default(),
            _ => event.definition.clone(),
        };
        let known = (event.operation == "wait").then(|| self.place.known(&event.id)).flatten();
        let now = self.now;
        let Some(agent) = &mut self.agent else { return };
        let key = [event.operation.clone(), event.id.clone(), definition.clone()];
        let plan = known.clone().unwrap_or_else(|| {
            let n = agent.counts.entry(key).or_default();
            *n += 1;
            self.world.call(&event.operation, &event.id, &definition, *n - 1)
        });
        let due = plan.takes_ms.map(|takes| now.saturating_add(takes));
        if let Some(controller) = agent.controllers.get_mut(&event.id) {
            controller.is_closed |= event.operation == "close";
            controller.is_terminating |= event.operation == "terminate";
            controller.is_ending |= matches!(&*event.operation, "shutdown" | "terminate");
        }
        let took_effect = plan.took_effect && takes_effect(event);
        agent.flights.push(Flight { call: event.clone(), due, plan, known: known.is_some() });
        if took_effect {
            self.place.take_effect(event);
        }
        if event.operation == "controller" {
            self.life_mut(&event.id).was_asked = true;
        }
        if event.operation == "prepare" {
            self.life_mut(&event.id).prepared_at.get_or_insert(now);
        }
    }

    /// A call is no longer in flight.
    fn landed(&mut self, event: &Event, report: &mut Report) -> Option<Flight> {
        let agent = self.agent.as_mut()?;
        let same = |flight: &Flight| {
            let call = &flight.call;
            (&call.operation, &call.id, &call.definition, &call.offered)
                == (&event.operation, &event.id, &event.definition, &event.offered)
        };
        // If there are several, which breaks rule 1, it is the one that is due.
        let now = self.now;
        let due = agent.flights.iter().position(|flight| same(flight) && flight.due == Some(now));
        let Some(place) = due.or_else(|| agent.flights.iter().position(same)) else {
            report.broken(0, self.now, format!("{event:?} was not called"));
            return None;
        };
        Some(agent.flights.remove(place))
    }

    fn returned(&mut self, event: &Event, report: &mut Report) {
        let Some(flight) = self.landed(event, report) else { return };
        if flight.due != Some(self.now) {
            report.broken(0, self.now, format!("{event:?} comes at a wrong time"));
        }
        let expected = flight.plan.error.as_ref();
        if expected.map(|error| &error.message) != event.error.as_ref()
            || expected.is_some_and(|error| error.temporary) != event.temporary
        {
            report.broken(0, self.now, format!("{event:?} has a wrong outcome"));
        }
        if event.operation == "found" && expected.is_none() && event.ids != self.place.left() {
            report.broken(0, self.now, format!("{:?} is found", event.ids));
        }
        let is_retryable = expected.is_some_and(super::input::Error::is_retryable);
        if event.error.is_none() && !(flight.plan.took_effect && takes_effect(event)) {
            self.place.take_effect(event);
        }
        if event.operation == "wait" && !is_retryable && !flight.known {
            self.place.end(&event.id, flight.plan.error.clone());
        }
        self.note_return(event, is_retryable, expected);
    }

    /// What a return says about the life of its task.
    fn note_return(
        &mut self,
        event: &Event,
        is_retryable: bool,
        error: Option<&super::input::Error>,
    ) {
        let (succeeded, failed) = (event.error.is_none(), event.error.is_some() && !is_retryable);
        let agents = self.agents;
        if succeeded && let Some(agent) = &mut self.agent {
            let controller = agent.controllers.entry(event.id.clone());
            if event.operation == "controller" {
                let definition = event.definition.clone();
                let made = Controller { definition, ..Controller::default() };
                *controller.or_default() = made;
            } else if let Some(offered) = &event.offered {
                controller.or_default().definition.clone_from(offered);
            }
        }
        let kind = error.map_or("", |error| &*error.kind);
        let life = self.life_mut(&event.id);
        match &*event.operation {
            "controller" if succeeded => {
                life.last_refused = None;
                life.taken = Some(event.definition.clone());
                life.taken_by = agents;
                life.ever_taken.insert(event.definition.clone());
            }
            "controller" => {
                life.last_refused = failed.then(|| event.definition.clone());
                life.refused.extend(failed.then(|| event.definition.clone()));
                life.may_have_ended |= failed;
                life.was_put_off = true;
            }
            "update" if succeeded => {
                life.taken.clone_from(&event.offered);
                life.taken_by = agents;
                life.ever_taken.extend(event.offered.clone());
            }
            "prepare" if failed && kind != "already_prepared" => {
                life.may_have_ended = true;
                // A task that was taken up may have a workload to end first.
                life.has_ended |= life.agent == agents;
            }
            "start" if failed && kind != "already_started" => {
                (life.start_failed, life.has_ended, life.may_have_ended) = (true, true, true);
            }
            "start" if !is_retryable => life.was_started = true,
            "wait" if !is_retryable => (life.has_ended, life.was_ended) = (true, true),
            "shutdown" if succeeded => (life.has_ended, life.was_ended) = (true, true),
            "terminate" if !is_retryable => {
                life.terminate_failed |= failed;
                (life.has_ended, life.was_ended) = (true, true);
            }
            "remove" if succeeded => life.was_removed = true,
            _ => {}
        }
    }
}
