//! What the followers of a worker's tasks have not looked at yet.

use crate::agent::ids::ById;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// The tasks that one follower has to look at.
pub(super) enum Unseen {
    /// All that there are: it has not looked yet.
    All,
    /// Each task that has changed, and whether the follower knows that there is such a task. A
    /// task that has come and gone between two looks is not among them, so there are never more
    /// than the follower has seen last and than there are now.
    Some(ById<bool>),
}

/// The followers of one kind of change, by their numbers.
#[derive(Default)]
pub(super) struct Followers {
    /// Counts the followers, for their numbers.
    numbers: u64,
    unseen: BTreeMap<u64, Unseen>,
}

impl Unseen {
    /// The follower looks at these first.
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
    /// A new follower, and its number.
    pub(super) fn add(&mut self, unseen: Unseen) -> u64 {
        self.numbers += 1;
        self.unseen.insert(self.numbers, unseen);
        self.numbers
    }

    /// A follower is gone. Returns what is to be dropped.
    pub(super) fn remove(&mut self, number: u64) -> Option<Unseen> {
        self.unseen.remove(&number)
    }

    /// A task has changed, has come or is gone.
    pub(super) fn changed(&mut self, id: &Arc<str>, was_there: bool, is_there: bool) {
        self.unseen.values_mut().for_each(|unseen| unseen.add(id, was_there, is_there));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.unseen.len()
    }

    /// What a follower has to look at. It has seen it then.
    pub(super) fn take(&mut self, number: u64) -> Unseen {
        let seen = Unseen::Some(ById::default());
        self.unseen.insert(number, seen).unwrap_or(Unseen::All)
    }
}
