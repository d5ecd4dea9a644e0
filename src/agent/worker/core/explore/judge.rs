//! Checks of the rules of a worker. The numbers are those of the rules for worlds.

use super::driver::{Has, Stage};
use super::{Arc, BTreeSet, Content, Duration, Message, Seat, State, StoreChange, String, Vec};
use crate::agent::store::TaskRecord;
use crate::agent::worker::core::{Action, Answer};
use crate::agent::worker::error::AssignError;
use crate::lifecycle::{TaskState, TaskStatus};

impl State {
    /// What the core has decided is done.
    pub(super) fn follow(&mut self, shuts_down_first: bool, actions: Vec<Action<u8, Seat>>) {
        let mut asks = false;
        let mut has_full_set = false;
        for action in actions {
            match action {
                Action::Drive(seat, record) => {
                    self.judge_drive(&seat, &record);
                    self.drive(seat).tell(&record);
                }
                Action::Tell(seat, record) => {
                    self.judge_record(&record);
                    let driver = self.drivers.get_mut(&seat.id);
                    let is_there = driver.as_ref().is_some_and(|driver| driver.seat == seat);
                    if let Some(driver) = driver {
                        driver.tell(&record);
                    }
                    self.expect(is_there, "1: the driver of the task is told");
                }
                Action::Close(seat) => {
                    if let Some(driver) = self.drivers.get_mut(&seat.id) {
                        driver.is_closing = true;
                    }
                }
                Action::List => {
                    self.expect(self.is_list_due && !self.is_listing, "13: one question at a time");
                    self.expect(!self.is_closing, "15: only close is called");
                    (self.is_listing, self.is_list_due, asks) = (true, false, true);
                }
                Action::Reconcile(id) => self.judge_reconcile(&id),
                Action::StopReconciling(id) => {
                    self.reconciling.remove(&id);
                }
                Action::Introduce(..) | Action::Show(_) | Action::Notify(_) => {}
                Action::Report(id, status) => self.judge_report(id, &status),
                Action::ReportRemoved(id) => {
                    let was_told = self.told.remove(&id).is_some();
                    self.expect(was_told, "16: gone is told once, if a status was");
                }
                Action::Answer(number, answer) => {
                    has_full_set |= self.answered(shuts_down_first, number, *answer);
                }
            }
        }
        if has_full_set && self.is_list_due && !self.is_listing && !asks && !self.is_closing {
            self.expect(false, "13: the first full set is followed by a question");
        }
    }

    /// Checks the answer to a message. Returns whether it was a full set that is stored.
    fn answered(&mut self, shuts_down_first: bool, number: u64, answer: Answer) -> bool {
        let place = self.waiting.iter().position(|(of, _)| *of == number);
        let is_closed = matches!(answer, Err(AssignError::Closed));
        let Some(place) = place.filter(|place| *place == 0 || is_closed) else {
            self.expect(false, "14: messages are answered in their order, once");
            return false;
        };
        let (_, message) = self.waiting.remove(place);
        match answer {
            Ok(refused) => {
                let ended = self.ended();
                let expected = self.wanted.take(&message, &ended, shuts_down_first);
                let refused: Vec<_> = refused.refused.iter().map(|refused| &*refused.id).collect();
                let is_same = expected.iter().map(|id| &**id).eq(refused);
                self.expect(is_same, "6: a task is refused only if its desired state would fall");
                self.failed.clear();
                let is_full_set = matches!(message, Message::Assign(_));
                if is_full_set {
                    for driver in self.drivers.values_mut() {
                        driver.is_wanted_again |= driver.stage == Stage::Failing;
                    }
                    let is_idle = |stage| stage == Stage::RemovalFailed;
                    let is_retried = !self.drivers.values().any(|driver| is_idle(driver.stage));
                    self.expect(
                        is_retried || self.is_closing,
                        "19: a removal is tried again with the next full set",
                    );
                }
                is_full_set
            }
            Err(AssignError::Store(_)) => {
                self.failed.push(message);
                false
            }
            Err(_) => {
                self.expect(self.is_closing, "14: only a worker that closes takes nothing");
                // It was removed before the commit was planned, or its commit is in flight.
                false
            }
        }
    }

    /// The tasks that `shut_down` may leave unchanged.
    fn ended(&self) -> BTreeSet<Arc<str>> {
        let stored = self.disk.iter().filter(|(id, task)| {
            let driver = self.drivers.get(*id).map(|driver| driver.state);
            let state = driver.or(task.status.as_ref().map(|status| status.state));
            // It may have ended after the message was planned.
            state.is_some_and(TaskState::is_terminal)
                && task.record.assignment.desired_state < TaskState::Shutdown
        });
        stored.map(|(id, _)| Arc::clone(id)).collect()
    }

    fn judge_drive(&mut self, seat: &Seat, record: &TaskRecord<u8>) {
        self.judge_record(record);
        self.expect(!self.is_closing, "15: nothing begins any more");
        self.expect(!self.reconciling.contains(&*seat.id), "13: never beside a reconcile");
        let driver = self.drivers.get(&seat.id);
        let is_driven = driver.is_some_and(super::Driver::is_driven);
        self.expect(!is_driven, "1: one driver for each task");
        let driver = self.drivers.get(&seat.id);
        if driver.is_none_or(|driver| driver.seat != *seat) {
            let status = self.durable.get(&seat.id).and_then(|task| task.status.as_ref());
            let state = status.map_or(TaskState::Assigned, |status| status.state);
            self.expect(seat.state == state, "3: a task goes on from its newest status");
        }
    }

    /// Checks that a driver gets only stored records.
    fn judge_record(&mut self, record: &TaskRecord<u8>) {
        let stored = self.durable.get(record.id()).map(|task| &task.record);
        let holds = stored.is_some_and(|stored| {
            *stored.assignment == *record.assignment && stored.removing == record.removing
        });
        self.expect(holds, "5: nothing is done that is not durable");
    }

    fn judge_report(&mut self, id: Arc<str>, status: &TaskStatus) {
        let stored = self.durable.get(&id).and_then(|task| task.status.as_ref());
        let is_durable = stored.is_some_and(|stored| stored.state == status.state);
        let before = self.told.insert(id, status.state);
        self.expect(is_durable, "4: a listener is told only what is durable");
        let holds = before.is_none_or(|before| before < status.state);
        self.expect(holds, "3: the state never falls for a listener");
    }

    fn judge_reconcile(&mut self, id: &str) {
        let is_stored = self.durable.contains_key(id) || self.drivers.contains_key(id);
        self.expect(!is_stored, "13: what is stored is not reconciled");
        self.expect(!self.is_closing, "15: only close is called");
        let is_new = self.reconciling.insert(id.into());
        self.expect(is_new, "13: never twice at once");
    }

    /// Checks that the orphans of these ids are reconciled. An id in a message may wait.
    pub(super) fn judge_orphans(&mut self, ids: &[String], new: &BTreeSet<String>) {
        for id in ids {
            let is_named = |(_, message): &(u64, Message<u8>)| message.ids().any(|of| of == id);
            let is_waiting = self.waiting.iter().any(is_named);
            let is_stored = self.durable.contains_key(&**id) || self.is_closing;
            let has_begun = self.reconciling.contains(id);
            // A failed commit may have stored it. That is undone first.
            let is_doubtful = self.failed.iter().any(|message| message.ids().any(|of| of == id));
            let holds = has_begun || is_stored || is_waiting || is_doubtful;
            self.expect(holds, "13: what nobody has assigned is reconciled at once");
            // It is looked for again. What is doubtful is kept in mind instead.
            self.is_list_due |= !has_begun && !is_stored && is_waiting;
        }
        let are_listed = new.iter().all(|id| ids.contains(id));
        self.expect(are_listed, "13: only what exists is reconciled");
    }

    pub(super) fn introduced(&mut self, actions: &[Action<u8, Seat>]) {
        let stored = self.durable.iter();
        let stored = stored.filter_map(|(id, task)| Some((id, task.status.as_ref()?.state)));
        let stored: Vec<_> = stored.collect();
        let told = actions.iter().find_map(|action| match action {
            Action::Introduce(_, statuses) => Some(statuses),
            _ => None,
        });
        let told = told.map(|told| told.iter().map(|(id, status)| (id, status.state)).collect());
        let holds = told == Some(stored);
        self.expect(holds, "16: a new listener is told every durable status");
    }

    /// A commit has succeeded.
    pub(super) fn known(&mut self, changes: &[StoreChange<u8>], deleted: &[Arc<str>]) {
        for change in changes {
            let id = match change {
                StoreChange::Replace(task) => task.record.id(),
                StoreChange::Record(record) => record.id(),
                StoreChange::Status { id, .. } | StoreChange::Delete { id } => id,
            };
            let id: Arc<str> = id.into();
            let before = self.durable.remove(&id);
            let is_ended = deleted.contains(&id);
            let after = self.disk.get(&id).cloned();
            let is_kept = before.is_none() || after.is_some() || is_ended;
            self.expect(is_kept, "12: a record goes only after its removal");
            self.durable.extend(after.map(|after| (id, after)));
        }
    }

    /// A commit has succeeded, and its actions were done.
    pub(super) fn judge_store(&mut self) {
        if self.failed.is_empty() {
            let holds = Content::of(&self.durable) == self.wanted;
            self.expect(holds, "6: ok is what is stored");
            let is_whole = self.disk == self.durable || self.core.is_waiting();
            self.expect(is_whole, "7: nothing is left of a failed message");
        }
        for (id, driver) in &self.drivers {
            let Some(task) = self.durable.get(id) else { continue };
            let applied = task.record.applied.as_ref().map(|applied| applied.definition);
            let made_with = applied.unwrap_or(task.record.assignment.definition);
            let is_new = driver.is_taken && applied.is_none() && !driver.was_refused;
            if is_new && driver.applied != Some(made_with) {
                return self.expect(false, "8: a controller is made with what was taken last");
            }
        }
    }

    /// Checks the stored data for a new agent.
    pub(super) fn judge_crash(&mut self, shuts_down_first: bool) {
        if self.is_torn {
            return;
        }
        let found = Content::of(&self.disk);
        let ended = self.ended();
        let waiting = self.waiting.iter().map(|(_, message)| message);
        let messages: Vec<_> = self.failed.iter().chain(waiting).collect();
        let gone = self.drivers.iter().filter(|(_, of)| of.stage == Stage::Gone);
        let gone: Vec<_> = gone.map(|(id, _)| Arc::clone(id)).collect();
        let is_possible = (0..1_u32 << messages.len()).any(|which| {
            let mut content = self.wanted.clone();
            for (index, message) in messages.iter().enumerate() {
                if which & (1 << index) != 0 {
                    content.take(message, &ended, shuts_down_first);
                }
            }
            (0..1_u32 << gone.len()).any(|which| {
                let mut content = content.clone();
                for (index, id) in gone.iter().enumerate() {
                    if which & (1 << index) != 0 {
                        content.delete(id);
                    }
                }
                content == found
            })
        });
        self.expect(is_possible, "6: at a crash the store has what the messages want");
        let fallen = self.told.iter().any(|(id, told)| {
            let is_gone = gone.contains(id);
            let status = self.disk.get(id).and_then(|task| task.status.as_ref());
            !is_gone && status.is_none_or(|status| status.state < *told)
        });
        self.expect(!fallen, "4: what was told is stored");
    }

    /// Checks the rules for a worker that is idle.
    pub(super) fn waits(&mut self, until: Option<Duration>) {
        self.expect(self.waiting.is_empty(), "14: every message is answered");
        if let Some(until) = until {
            return self.expect(until > self.now, "nothing spins");
        }
        let is_whole = self.disk == self.durable;
        self.expect(is_whole, "19: what is not known is written again");
        self.settled();
        for id in self.durable.keys().cloned().collect::<Vec<_>>() {
            let has_driver = self.drivers.get(&id).is_some_and(super::Driver::is_driven);
            let has_failed = self.drivers.get(&id).is_some_and(|driver| {
                driver.stage == Stage::RemovalFailed && !driver.is_wanted_again
            });
            let is_blocked = self.reconciling.contains(&*id);
            let holds = has_driver || has_failed || is_blocked || self.is_closing;
            self.expect(holds, "19: each task has a driver");
        }
        let is_over = self.drivers.values().all(|driver| !driver.is_driven());
        self.expect(!(self.is_closing && is_over), "15: a worker that is closed ends");
    }

    /// Checks that all reports of a driver are stored.
    fn settled(&mut self) {
        for (id, driver) in self.drivers.clone() {
            let Some(task) = self.durable.get(&id) else {
                return self.expect(false, "5: a controller needs a record");
            };
            let state = task.status.as_ref().map_or(TaskState::Assigned, |status| status.state);
            let applied = task.record.applied.as_ref().map(|applied| applied.definition);
            let is_gone = driver.stage == Stage::Gone;
            self.expect(!is_gone, "19: a record goes when nothing is left");
            self.expect(state == driver.state, "19: the last status is stored");
            let is_stored = !driver.is_taken || applied == driver.applied;
            self.expect(is_stored, "9: what a controller took is stored");
            let is_refused = driver.has == Has::Refusal && applied.is_some() && !driver.is_taken;
            self.expect(!is_refused, "9: what no controller took is not stored");
        }
    }

    /// The worker has ended.
    pub(super) fn ends(&mut self) {
        let is_driven = self.drivers.values().any(super::Driver::is_driven);
        self.expect(self.is_closing && !is_driven, "15: every controller is closed");
        self.expect(self.waiting.is_empty(), "14: every message is answered");
        self.expect(self.disk == self.durable, "15: everything is stored");
        self.settled();
        self.has_ended = true;
    }
}
