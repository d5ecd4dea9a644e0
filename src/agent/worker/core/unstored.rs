//! The age of the oldest status that is not stored.

use core::time::Duration;

/// Since when the oldest status that is not stored waits, on the clock of the runtime.
///
/// A commit has all statuses that wait when it is planned. So it is enough to know whether there is
/// a newer one. A newer status counts from the plan of the last commit, which is slightly too early.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Unstored {
    since: Option<Duration>,
    /// When the last commit was planned.
    planned: Duration,
    /// Whether there is a newer status.
    has_news: bool,
}

impl Unstored {
    pub(super) fn since(&self) -> Option<Duration> {
        self.since
    }

    /// There is a new status.
    pub(super) fn changed(&mut self) {
        self.has_news = true;
    }

    /// Sets the time for a new status, unless an older one waits already.
    pub(super) fn look(&mut self, now: Duration) {
        if self.has_news {
            self.since.get_or_insert(now);
        }
    }

    /// A commit was planned, with all statuses so far.
    pub(super) fn planned(&mut self, now: Duration) {
        (self.planned, self.has_news) = (now, false);
    }

    /// The commit that was planned last is durable.
    pub(super) fn stored(&mut self) {
        self.since = self.has_news.then_some(self.planned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// There was a status at 1 s, and its commit was planned then.
    fn planned() -> Unstored {
        let mut unstored = Unstored::default();
        unstored.look(at(0));
        assert_eq!(unstored.since(), None);
        unstored.changed();
        unstored.look(at(1));
        unstored.planned(at(1));
        unstored
    }

    #[test]
    fn a_status_waits_until_its_commit_is_durable() {
        let mut unstored = planned();
        assert_eq!(unstored.since(), Some(at(1)));
        unstored.stored();
        assert_eq!(unstored.since(), None);
        unstored.look(at(9));
        assert_eq!(unstored.since(), None);
    }

    #[test]
    fn the_age_grows_after_a_failed_commit_even_if_there_are_newer_statuses() {
        let mut unstored = planned();
        unstored.changed();
        unstored.look(at(5));
        unstored.planned(at(5));
        assert_eq!(unstored.since(), Some(at(1)));
        unstored.stored();
        assert_eq!(unstored.since(), None);
    }

    #[test]
    fn a_status_during_a_commit_waits_since_the_commit_was_planned() {
        let mut unstored = planned();
        unstored.changed();
        unstored.stored();
        unstored.look(at(7));
        assert_eq!(unstored.since(), Some(at(1)));
    }
}
