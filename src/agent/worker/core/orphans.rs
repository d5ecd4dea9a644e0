//! Orphans: workloads that exist and are not assigned.

use super::{Action, Core, Stage};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

/// The state of `list` and `reconcile`.
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) struct Orphans {
    /// Whether `list` must be called after the next full set.
    is_wanted: bool,
    /// Whether `list` is in flight.
    is_asked: bool,
    /// The ids whose `reconcile` is in flight.
    reconciling: BTreeSet<String>,
    /// Listed ids of a failed commit. The next commit decides whether they are orphans.
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

    /// Forgets the `reconcile` of an id.
    pub(super) fn forget(&mut self, id: &str) {
        self.reconciling.remove(id);
    }

    /// A commit has written this id. Returns whether it is an orphan if the commit has deleted it.
    pub(super) fn settle(&mut self, id: &str) -> bool {
        self.doubtful.remove(id)
    }

    /// Stops. Returns the ids whose `reconcile` is in flight.
    pub(super) fn stop(&mut self) -> BTreeSet<String> {
        self.is_wanted = false;
        self.doubtful.clear();
        mem::take(&mut self.reconciling)
    }

    /// A full set was stored. Returns whether `list` must be called: the first time, and again if
    /// `list` or a `reconcile` has failed (9).
    pub(super) fn full_set(&mut self) -> bool {
        let asks = self.is_wanted && !self.is_asked;
        self.is_asked |= asks;
        self.is_wanted &= !asks;
        asks
    }
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// `list` has returned the ids of all workloads, or failed.
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
                // A message may assign it. If it does not, the next `list` finds it.
                self.orphans.is_wanted = true;
            } else if self.unknown.contains(&*id) {
                // It may be stored. A commit decides that now.
                self.orphans.doubtful.insert(id);
                self.retry_at = None;
            } else {
                self.reconcile(id);
            }
        }
    }

    /// Reconciles an orphan.
    pub(super) fn reconcile(&mut self, id: String) {
        if !self.is_closing && self.orphans.reconciling.insert(id.clone()) {
            self.actions.push(Action::Reconcile(id));
        }
    }

    /// Whether there is an unanswered message with this id.
    fn is_under_way(&self, id: &str) -> bool {
        let mut ids = self.messages.iter().flat_map(|(_, message)| message.ids());
        ids.any(|other| other == id) || self.batch.as_ref().is_some_and(|batch| batch.names(id))
    }

    /// `reconcile` of an id has succeeded or failed.
    pub(super) fn reconciled(&mut self, id: &str, is_done: bool) {
        if !self.orphans.reconciling.remove(id) {
            return;
        }
        self.orphans.is_wanted |= !is_done;
        // If its record is being written, the task starts after the commit.
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
