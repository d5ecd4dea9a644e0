//! `Siblings`: detects removals in the directory of all tasks, for all of them in one place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

/// Time between two looks at the directory.
const POLL: Duration = Duration::from_secs(10);

/// How long after a change the directory counts as changed. It is longer than two polls, so that no
/// change falls between two of them.
const RECENT: Duration = Duration::from_secs(25);

/// The directory that contains the directories of all tasks.
///
/// Thousands of tasks wait for a removal, and one of them looks for all. So they cost nothing while
/// nothing changes.
#[derive(Debug)]
pub(super) struct Siblings {
    dir: PathBuf,
    /// Held by the wait that looks. If it is dropped, another one continues.
    looks: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl Siblings {
    /// Returns the parent of a task's directory. All tasks of a process share the value.
    pub(super) fn of(task: &Path) -> Arc<Self> {
        static ALL: Mutex<BTreeMap<PathBuf, Weak<Siblings>>> = Mutex::new(BTreeMap::new());
        let dir = task.parent().unwrap_or(task);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(dir).and_then(Weak::upgrade) {
            return found;
        }
        all.retain(|_, siblings| siblings.strong_count() > 0);
        let (looks, changed) = (tokio::sync::Mutex::new(()), Notify::new());
        let made = Arc::new(Self { dir: dir.to_owned(), looks, changed });
        all.insert(dir.to_owned(), Arc::downgrade(&made));
        made
    }

    /// Completes within 10 s after an entry of the directory was removed, and perhaps again within
    /// the next 25 s. It also completes after other changes of the directory.
    ///
    /// # Cancel safety
    ///
    /// You can drop the future at any time.
    pub(super) async fn removed(&self) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = self.look() => self.changed.notify_waiters(),
        }
    }

    async fn look(&self) {
        let _looking = self.looks.lock().await;
        loop {
            sleep(POLL).await;
            let modified = fs::metadata(&self.dir).and_then(|found| found.modified());
            // An age is negative if the system's time was set back.
            let age = modified.map(|at| SystemTime::now().duration_since(at));
            if !matches!(age, Ok(Ok(age)) if age > RECENT) {
                return;
            }
        }
    }
}
