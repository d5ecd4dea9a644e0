//! How often each edge of the table was taken in the last minute.

use onward::TaskState;
use onward::lifecycle::EDGES;
use serde::Serialize;
use time::UtcDateTime;

/// The number of seconds that count.
const SECONDS: usize = 60;

/// An edge, and the number of tasks that took it in the last minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EdgeCount {
    /// The state before.
    pub from: TaskState,
    /// The state after.
    pub to: TaskState,
    /// The number of tasks.
    pub count: u32,
}

/// For each second of the last minute, how often each edge was taken.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// The second that each bucket is of, and its counts in the order of [`EDGES`]. The bucket of a
    /// second is that of its number modulo [`SECONDS`].
    buckets: Vec<(i64, Vec<u32>)>,
}

impl Edges {
    /// Counts an edge. A pair of states that is no edge of the table is not counted.
    pub(super) fn add(&mut self, from: TaskState, to: TaskState, at: UtcDateTime) {
        let second = at.unix_timestamp();
        self.buckets.resize_with(SECONDS, || (i64::MIN, Vec::new()));
        let place = usize::try_from(second).unwrap_or(0) % SECONDS;
        let edge = EDGES.iter().position(|edge| edge.from == from && edge.to == to);
        let (Some((of, counts)), Some(edge)) = (self.buckets.get_mut(place), edge) else { return };
        if *of != second {
            *of = second;
            counts.clear();
        }
        counts.resize(EDGES.len(), 0);
        if let Some(count) = counts.get_mut(edge) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the edges that were taken in the minute before `now`.
    pub(super) fn counts(&self, now: UtcDateTime) -> Vec<EdgeCount> {
        let now = now.unix_timestamp();
        let is_recent = |of: i64| (0..SECONDS as u64).contains(&now.abs_diff(of)) && of <= now;
        let recent = || self.buckets.iter().filter(|(of, _)| is_recent(*of));
        let count = |edge| {
            let counts = recent().filter_map(|(_, counts)| counts.get(edge));
            counts.fold(0_u32, |sum, count| sum.saturating_add(*count))
        };
        let edges = EDGES.iter().enumerate();
        edges
            .map(|(at, edge)| EdgeCount { from: edge.from, to: edge.to, count: count(at) })
            .filter(|edge| edge.count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::{Complete, Ready, Running, Starting};
    use time::Duration;

    #[test]
    fn an_edge_counts_for_a_minute() {
        let (mut edges, begun) = (Edges::default(), UtcDateTime::UNIX_EPOCH);
        let after = |seconds| begun + Duration::seconds(seconds);
        edges.add(Ready, Starting, after(0));
        edges.add(Ready, Starting, after(30));
        edges.add(Starting, Running, after(30));
        edges.add(Ready, Complete, after(30)); // no edge
        let of = |from, to, count| EdgeCount { from, to, count };
        assert_eq!(edges.counts(after(59)), [of(Ready, Starting, 2), of(Starting, Running, 1)]);
        assert_eq!(edges.counts(after(60)), [of(Ready, Starting, 1), of(Starting, Running, 1)]);
        // The bucket of the first second is used again.
        edges.add(Running, Complete, after(60));
        let counts = [of(Ready, Starting, 1), of(Starting, Running, 1), of(Running, Complete, 1)];
        assert_eq!(edges.counts(after(61)), counts);
        assert_eq!(edges.counts(after(90)), [of(Running, Complete, 1)]);
        assert_eq!(edges.counts(after(120)), []);
    }
}
