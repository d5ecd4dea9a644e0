//! The last few things that happened to a task.

use crate::lifecycle::EventKind;
use alloc::vec::Vec;
use time::UtcDateTime;

/// How many events are kept.
const KEPT: usize = 8;

/// Something that happened to a task, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The time of day.
    #[cfg_attr(feature = "serde", serde(with = "super::wire::time_of_day"))]
    pub at: UtcDateTime,
    /// What happened.
    pub event: EventKind,
}

/// A ring, in place: it costs no allocation.
#[derive(Default)]
pub(super) struct History {
    ring: [Option<HistoryEntry>; KEPT],
    next: u8,
}

impl History {
    pub(super) fn push(&mut self, at: UtcDateTime, event: EventKind) {
        if let Some(place) = self.ring.get_mut(usize::from(self.next)) {
            *place = Some(HistoryEntry { at, event });
        }
        self.next = (self.next + 1) % u8::try_from(KEPT).unwrap_or(1);
    }

    /// The events, the oldest first.
    pub(super) fn to_vec(&self) -> Vec<HistoryEntry> {
        let (newer, older) = self.ring.split_at(usize::from(self.next).min(KEPT));
        older.iter().chain(newer).copied().flatten().collect()
    }
}
