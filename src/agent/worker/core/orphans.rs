//! What exists in the world and nobody has assigned.

use super::{Action, Core, Stage};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

/// What is known of it.
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) struct Orphans {
    /// The next full set is followed by a question.
    is_wanted: bool,
    /// The executor was asked, and has not answered.
    is_asked: bool,
    /// What is being ended.
    reconciling: BTreeSet<String>,
    /// What is to be ended if it is not stored, which nobody knows yet.
    doubtful: BTreeSet<String>,
}

impl Default for Orphans {
    fn default() -> Self {
        let (reconciling, doubtful) = (BTreeSet::new(), BTreeSet::new());
        Self { is_wanted: true, is_asked: false, reconciling, doubtful }
    }
}

impl Orphans {
    pub(super) fn is_reconciling(&self, id: &str) -> bool {
        self.reconciling.contains(id)
    }

    /// What exists of this id is nobody's orphan any more.
    pub(super) fn forget(&mut self, id: &str) {
        self.reconciling.remove(id);
    }

    /// It is known now what is stored of this id. Returns whether it is to be ended, if that is
    /// nothing.
    pub(super) fn settle(&mut self, id: &str) -> bool {
        self.doubtful.remove(id)
    }

    /// Nothing more is ended. Returns what was being ended.
    pub(super) fn stop(&mut self) -> BTreeSet<String> {
        self.is_wanted = false;
        self.doubtful.clear();
        mem::take(&mut self.reconciling)
    }

    /// A full set is durable. Returns whether the executor is to be asked what exists: the first
    /// time, and again if that or an end failed (9).
    pub(super) fn full_set(&mut self) -> bool {
        let asks = self.is_wanted && !self.is_asked;
        self.is_asked |= asks;
        self.is_wanted &= !asks;
        asks
    }
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// The executor has listed what exists, or could not.
    pub(super) fn listed(&mut self, listed: Option<Vec<String>>) {
        self.orphans.is_asked = false;
        let Some(ids) = listed else {
            self.orphans.is_wanted = true;
            return;
        };
        for id in ids {
            let is_owned = self.entries.contains_key(&*id) || self.orphans.is_reconciling(&id);
            if self.is_closing || is_owned {
                continue;
            }
            if self.is_under_way(&id) {
                // If it is not assigned after all, it is listed again.
                self.orphans.is_wanted = true;
            } else if self.unknown.contains(&*id) {
                // It may be stored. That is settled now, and then it is ended.
                self.orphans.doubtful.insert(id);
                self.retry_at = None;
            } else {
                self.reconcile(id);
            }
        }
    }

    /// What exists of an id and nobody has assigned is to be ended.
    pub(super) fn reconcile(&mut self, id: String) {
        if !self.is_closing && self.orphans.reconciling.insert(id.clone()) {
            self.actions.push(Action::Reconcile(id));
        }
    }

    /// Whether a message names this id and was not answered.
    fn is_under_way(&self, id: &str) -> bool {
        let mut ids = self.messages.iter().flat_map(|(_, message)| message.ids());
        ids.any(|other| other == id) || self.batch.as_ref().is_some_and(|batch| batch.names(id))
    }

    /// What exists of an id is ended, or is not.
    pub(super) fn reconciled(&mut self, id: &str, is_done: bool) {
        if !self.orphans.reconciling.remove(id) {
            return;
        }
        self.orphans.is_wanted |= !is_done;
        // While its record is being written, nobody knows which definition it begins with. It
        // begins when that is stored.
        let is_written = self.batch.as_ref().is_some_and(|batch| batch.writes(id));
        if is_written || self.unknown.contains(id) {
            return;
        }
        let blocked = self.entries.get_key_value(id).filter(|(_, e)| e.stage == Stage::Blocked);
        if let Some(id) = blocked.map(|(id, _)| Arc::clone(id)) {
            self.drive(&id);
        }
    }
}
