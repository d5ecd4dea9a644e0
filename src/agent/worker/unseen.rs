//! The changed tasks that followers have not read yet.

use crate::agent::ids::ById;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// The tasks that one follower must read.
pub(super) enum Unseen {
    /// All tasks: the follower has not read any yet.
    All,
    /// Each changed task, and whether the follower has read it before. A task that was added and
    /// removed between two reads is not in it, so the map never has more tasks than the follower has
    /// read and than there are now.
    Some(ById<bool>),
}

/// The followers of one kind of change, by their numbers.
#[derive(Default)]
pub(super) struct Followers {
    /// The last number of a follower.
    numbers: u64,
    unseen: BTreeMap<u64, Unseen>,
}

impl Unseen {
    /// The follower reads these tasks first.
    pub(super) fn these<'a>(ids: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        Self::Some(ids.into_iter().map(|id| (Arc::clone(id), true)).collect())
    }

    fn add(&mut self, id: &Arc<str>, was_there: bool, is_there: bool) {
        let Self::Some(ids) = self else { return };
        let is_known = *ids.entry(Arc::clone(id)).or_insert(was_there);
        if !is_known && !is_there {
            ids.remove(id);
        }
    }
}

impl Followers {
    /// Adds a follower. Returns its number.
    pub(super) fn add(&mut self, unseen: Unseen) -> u64 {
        self.numbers += 1;
        self.unseen.insert(self.numbers, unseen);
        self.numbers
    }

    /// Removes a follower. Returns its unread tasks, which the caller drops.
    pub(super) fn remove(&mut self, number: u64) -> Option<Unseen> {
        self.unseen.remove(&number)
    }

    /// A task was changed, added or removed.
    pub(super) fn changed(&mut self, id: &Arc<str>, was_there: bool, is_there: bool) {
        self.unseen.values_mut().for_each(|unseen| unseen.add(id, was_there, is_there));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.unseen.len()
    }

    /// Takes the tasks that a follower must read.
    pub(super) fn take(&mut self, number: u64) -> Unseen {
        let seen = Unseen::Some(ById::default());
        self.unseen.insert(number, seen).unwrap_or(Unseen::All)
    }
}
