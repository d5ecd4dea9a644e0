//! A listener that checks its statuses.

use super::chance::{Chance, PLANNED};
use onward::agent::StatusSink;
use onward::lifecycle::{TaskState, TaskStatus};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The data that all listeners of a round share.
#[derive(Debug)]
pub(crate) struct Hearing {
    wrong: Mutex<Vec<String>>,
    /// The number of sinks that exist.
    sinks: AtomicUsize,
    chance: Chance,
}

impl Hearing {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let (wrong, sinks, chance) = (Mutex::default(), AtomicUsize::new(0), Chance::new(seed));
        Arc::new(Self { wrong, sinks, chance })
    }

    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    #[track_caller]
    pub(crate) fn assert_nothing_is_wrong_or_left(&self) {
        assert_eq!(*self.wrong.lock().unwrap(), Vec::<String>::new());
        assert_eq!(self.sinks.load(Ordering::Acquire), 0, "sinks that are not dropped");
    }
}

/// One listener.
pub(crate) struct Ear {
    hearing: Arc<Hearing>,
    /// The drop of its `Listener` has returned.
    is_dropped: Arc<AtomicBool>,
    states: Mutex<BTreeMap<String, TaskState>>,
}

impl Ear {
    /// The flag must be set after the drop of the `Listener` has returned.
    pub(crate) fn new(hearing: &Arc<Hearing>) -> (Self, Arc<AtomicBool>) {
        hearing.sinks.fetch_add(1, Ordering::AcqRel);
        let is_dropped = Arc::new(AtomicBool::new(false));
        let (hearing, states) = (Arc::clone(hearing), Mutex::default());
        (Self { hearing, is_dropped: Arc::clone(&is_dropped), states }, is_dropped)
    }

    fn check(&self) {
        if self.is_dropped.load(Ordering::Acquire) {
            self.hearing.complain("a listener was called after its drop".into());
        }
    }
}

impl StatusSink for Ear {
    fn changed(&self, id: &str, status: TaskStatus) {
        self.check();
        let before = self.states.lock().unwrap().insert(id.to_owned(), status.state);
        if before.is_some_and(|before| before > status.state) {
            self.hearing.complain(format!("{id} fell from {before:?} to {}", status.state));
        }
        if self.hearing.chance.one_in(16) {
            std::thread::yield_now();
        }
        // It may have been dropped in between, if the drop did not wait.
        self.check();
        assert!(!self.hearing.chance.one_in(32), "a listener panics {PLANNED}");
    }

    fn removed(&self, id: &str) {
        self.check();
        self.states.lock().unwrap().remove(id);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.hearing.sinks.fetch_sub(1, Ordering::AcqRel);
    }
}
