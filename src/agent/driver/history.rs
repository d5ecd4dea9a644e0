//! The last events of a task.

use crate::lifecycle::EventKind;
use alloc::vec::Vec;
use time::UtcDateTime;

/// How many events are kept.
const KEPT: usize = 8;

/// An event of a task, with its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The time of day.
    #[cfg_attr(feature = "serde", serde(with = "super::wire::time_of_day"))]
    pub at: UtcDateTime,
    /// The event.
    pub event: EventKind,
}

/// A ring buffer of the last events. It does not allocate. Each entry takes 9 bytes.
#[derive(Default, Debug)]
pub(super) struct History {
    /// In nanoseconds since the epoch.
    times: [i64; KEPT],
    events: [Option<EventKind>; KEPT],
    next: u8,
}

impl History {
    pub(super) fn push(&mut self, at: UtcDateTime, event: EventKind) {
        let place = usize::from(self.next);
        let nanos = at.unix_timestamp_nanos();
        if let (Some(time), Some(kept)) = (self.times.get_mut(place), self.events.get_mut(place)) {
            *time = i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX });
            *kept = Some(event);
        }
        self.next = (self.next + 1) % u8::try_from(KEPT).unwrap_or(1);
    }

    /// The events, the oldest first.
    pub(super) fn to_vec(&self) -> Vec<HistoryEntry> {
        let all = self.times.iter().zip(&self.events);
        let (place, count) = (usize::from(self.next), KEPT);
        let in_order = all.clone().skip(place).chain(all.take(place)).take(count);
        let entry = |(nanos, event): (&i64, &Option<EventKind>)| {
            let at = UtcDateTime::from_unix_timestamp_nanos(i128::from(*nanos)).ok()?;
            Some(HistoryEntry { at, event: (*event)? })
        };
        in_order.filter_map(entry).collect()
    }
}
