//! The possible events of a worker, and their consequences.

use super::driver::{Driver, Stage};
use super::{Action, Arc, BTreeMap, Settings, State, StoreChange, StoreError, Vec, Written};
use crate::agent::worker::core::{Input, Next};
use alloc::string::ToString;

impl State {
    pub(super) fn actions(&self, settings: &Settings, actions: &mut Vec<Action>) {
        if let Some(commit) = &self.commit {
            actions.push(Action::Commit(Written::Successfully));
            let some =
                (0..=commit.len()).filter(|&n| settings.writes_some || n == 0 || n == commit.len());
            if self.failures < settings.most_failures {
                actions.extend(some.clone().map(|n| Action::Commit(Written::Failing(n))));
            }
            if settings.has_crashes {
                actions.extend(some.map(|n| Action::Crash(Written::Failing(n))));
            }
        } else {
            if self.core.retry_at.is_some_and(|at| at > self.now) {
                actions.push(Action::Retry);
            }
            if settings.has_crashes {
                actions.push(Action::Crash(Written::Successfully));
            }
        }
        let has_room = self.waiting.len() < settings.most_waiting;
        if has_room && self.messages < settings.most_messages {
            actions.extend((0..settings.messages.len()).map(Action::Send));
        }
        for (index, driver) in self.drivers.values().enumerate() {
            actions.extend(driver.steps().into_iter().map(|step| Action::Step(index, step)));
        }
        if self.is_listing {
            actions.push(Action::Listed(Some(false)));
            if settings.has_orphans {
                actions.extend([None, Some(true)].map(Action::Listed));
            }
        }
        for index in 0..self.reconciling.len() {
            actions.extend([true, false].map(|is_done| Action::Reconciled(index, is_done)));
        }
        if !self.has_ended {
            actions.push(Action::Listen);
        }
        if settings.has_close && !self.is_closing {
            actions.push(Action::Close);
        }
    }

    pub(super) fn act(&mut self, settings: &Settings, action: Action) {
        match action {
            Action::Send(index) => {
                let Some(message) = settings.messages.get(index) else { return };
                (self.number, self.messages) = (self.number + 1, self.messages + 1);
                self.waiting.push((self.number, message.clone()));
                if self.has_ended {
                    // The inbox is closed and returns an error.
                    self.waiting.pop();
                    return;
                }
                self.core.input(Input::Message(self.number, message.clone()));
            }
            Action::Commit(written) => return self.commit_ends(settings, written),
            Action::Retry => {
                self.now = self.core.retry_at.unwrap_or(self.now);
                self.run();
                self.expect(self.commit.is_some(), "19: a commit that failed is tried again");
                return;
            }
            Action::Crash(written) => return self.crash(settings, written),
            Action::Step(index, step) => {
                let Some(driver) = self.drivers.values_mut().nth(index) else { return };
                for input in driver.step(step) {
                    self.core.input(input);
                }
            }
            Action::Listed(listed) => return self.listed(settings, listed),
            Action::Reconciled(index, is_done) => {
                let Some(id) = self.reconciling.iter().nth(index).cloned() else { return };
                self.reconciling.remove(&id);
                self.is_list_due |= !is_done;
                self.core.input(Input::Reconciled(id, is_done));
            }
            Action::Listen => {
                self.number += 1;
                self.core.input(Input::Listen(self.number));
                let actions = self.core.actions();
                self.introduced(&actions);
                self.follow(settings.shuts_down_first, actions);
            }
            Action::Close => {
                self.is_closing = true;
                self.core.input(Input::Close);
            }
        }
        self.settle(settings);
    }

    /// Does all actions until the worker commits or waits.
    fn settle(&mut self, settings: &Settings) {
        let shuts_down_first = settings.shuts_down_first;
        if self.commit.is_some() {
            let actions = self.core.actions();
            self.follow(shuts_down_first, actions);
            return;
        }
        self.run_with(shuts_down_first);
    }

    pub(super) fn run(&mut self) {
        self.run_with(false);
    }

    fn run_with(&mut self, shuts_down_first: bool) {
        for _ in 0..16 {
            match self.core.next(self.now) {
                Next::Act(actions) => self.follow(shuts_down_first, actions),
                Next::Commit(changes) => {
                    self.expect(!self.has_ended, "15: nothing is stored after the end");
                    self.commit = Some(changes);
                    return;
                }
                Next::Wait(until) => return self.waits(until),
                Next::Nothing => return self.ends(),
            }
        }
        self.expect(false, "nothing spins");
    }

    fn commit_ends(&mut self, settings: &Settings, written: Written) {
        let Some(changes) = self.commit.take() else { return };
        match written {
            Written::Successfully => {
                let broken = super::key::apply(&mut self.disk, &changes);
                self.expect(broken.is_none(), "3: the state never falls in the store");
                let deleted = self.deleted(&changes);
                self.known(&changes, &deleted);
                self.failures = 0;
                self.core.committed(Ok(()), self.now);
                self.forget(&deleted);
                let actions = self.core.actions();
                self.follow(settings.shuts_down_first, actions);
                for id in &deleted {
                    self.wanted.delete(id);
                }
                self.judge_store();
            }
            Written::Failing(count) => {
                self.is_torn |= count != 0 && count != changes.len();
                _ = super::key::apply(&mut self.disk, &changes[..count]);
                self.failures += 1;
                self.core.committed(Err(StoreError::new("no".to_string())), self.now);
                let actions = self.core.actions();
                self.follow(settings.shuts_down_first, actions);
            }
        }
        self.run_with(settings.shuts_down_first);
    }

    /// The drivers of these tasks have ended for good.
    fn forget(&mut self, deleted: &[Arc<str>]) {
        for id in deleted {
            self.drivers.remove(id);
        }
    }

    /// The ids whose record this commit deletes.
    pub(super) fn deleted(&self, changes: &[StoreChange<u8>]) -> Vec<Arc<str>> {
        let deleted = changes.iter().filter_map(|change| match change {
            StoreChange::Delete { id } => Some(Arc::clone(id)),
            _ => None,
        });
        let is_gone =
            |id: &Arc<str>| self.drivers.get(id).is_some_and(|driver| driver.stage == Stage::Gone);
        deleted.filter(is_gone).collect()
    }

    fn crash(&mut self, settings: &Settings, written: Written) {
        if let (Some(changes), Written::Failing(count)) = (self.commit.take(), written) {
            self.is_torn |= count != 0 && count != changes.len();
            _ = super::key::apply(&mut self.disk, &changes[..count]);
        }
        self.judge_crash(settings.shuts_down_first);
        self.core = settings.open(&self.disk);
        self.durable = self.disk.clone();
        self.wanted = super::Content::of(&self.disk);
        self.drivers = BTreeMap::new();
        (self.waiting, self.failed) = (Vec::new(), Vec::new());
        self.told.clear();
        self.reconciling.clear();
        (self.is_listing, self.is_list_due) = (false, true);
        (self.is_closing, self.has_ended, self.is_torn) = (false, false, false);
        self.failures = 0;
        let statuses = self.durable.iter();
        let told =
            statuses.filter_map(|(id, task)| Some((Arc::clone(id), task.status.as_ref()?.state)));
        self.told = told.collect();
        self.run_with(settings.shuts_down_first);
    }

    fn listed(&mut self, settings: &Settings, listed: Option<bool>) {
        self.is_listing = false;
        let ids: Option<Vec<_>> = listed.map(|has_all| {
            settings.ids.iter().filter(|_| has_all).map(ToString::to_string).collect()
        });
        self.is_list_due |= ids.is_none();
        let listed = ids.clone().unwrap_or_default();
        let before = self.reconciling.clone();
        self.core.input(Input::Listed(ids));
        let actions = self.core.actions();
        self.follow(settings.shuts_down_first, actions);
        let new = self.reconciling.difference(&before).cloned().collect();
        self.judge_orphans(&listed, &new);
        self.settle(settings);
    }

    /// A driver starts, or gets a new record.
    pub(super) fn drive(&mut self, seat: super::Seat) -> &mut Driver {
        let id = Arc::clone(&seat.id);
        let driver = self.drivers.entry(id).or_insert_with(|| Driver::new(seat.clone()));
        if driver.stage == Stage::RemovalFailed && driver.seat == seat {
            driver.restart();
        }
        driver
    }
}
