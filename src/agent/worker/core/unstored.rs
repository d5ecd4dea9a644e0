//! Since when the oldest status that is not stored waits.

use core::time::Duration;

/// Since when the oldest status that is not stored waits, in the runtime's time.
///
/// Each commit has all statuses that wait when it is planned. So it is enough to know whether
/// another one has come since. Such a status counts from the plan, which is a little too early.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Unstored {
    since: Option<Duration>,
    /// When the last commit was planned.
    planned: Duration,
    /// A status has come since then.
    has_news: bool,
}

impl Unstored {
    pub(super) fn since(&self) -> Option<Duration> {
        self.since
    }

    /// A status has come.
    pub(super) fn changed(&mut self) {
        self.has_news = true;
    }

    /// It is now. What has come waits from now on, unless something waits already.
    pub(super) fn look(&mut self, now: Duration) {
        if self.has_news {
            self.since.get_or_insert(now);
        }
    }

    /// A commit has everything that has come until now.
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

    /// A status came at 1 s, and its commit was planned then.
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
    fn after_a_commit_that_failed_the_age_grows_though_newer_statuses_come() {
        let mut unstored = planned();
        unstored.changed();
        unstored.look(at(5));
        unstored.planned(at(5));
        assert_eq!(unstored.since(), Some(at(1)));
        unstored.stored();
        assert_eq!(unstored.since(), None);
    }

    #[test]
    fn what_came_during_a_commit_waits_since_that_was_planned() {
        let mut unstored = planned();
        unstored.changed();
        unstored.stored();
        unstored.look(at(7));
        assert_eq!(unstored.since(), Some(at(1)));
    }
}
