//! Stores and runtimes that fail.

use futures::future::{AbortHandle, BoxFuture, abortable};
use onward::agent::runtime::SpawnError;
use onward::agent::store::{StoreCall, StoreChange, StoreFault};
use onward::agent::{MemoryStore, Runtime};
use onward::testing::VirtualPool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::UtcDateTime;

/// Every commit fails. Its changes are written or not.
pub(crate) fn fail_commits(store: &MemoryStore<String>, is_written: bool) {
    let written = if is_written { usize::MAX } else { 0 };
    store.set_faults(move |call| {
        matches!(call, StoreCall::Commit(_)).then_some(StoreFault::Fails { written })
    });
}

/// Every commit with a status fails, and nothing of it is written.
pub(crate) fn fail_statuses(store: &MemoryStore<String>) {
    store.set_faults(|call| match call {
        StoreCall::Commit(changes) => {
            let has_status = changes.iter().any(|change| match change {
                StoreChange::Status { .. } => true,
                StoreChange::Replace(task) => task.status.is_some(),
                _ => false,
            });
            has_status.then_some(StoreFault::Fails { written: 0 })
        }
        _ => None,
    });
}

/// The behavior of a runtime with spawned futures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spawning {
    /// It refuses them.
    Refuses,
    /// It panics.
    Panics,
    /// It accepts and drops them, as tokio does when it is shut down.
    Drops,
    /// It runs them until they are aborted.
    Runs,
}

/// A runtime over a pool. Its `spawn` fails, or its futures can be aborted.
pub(crate) struct Unreliable {
    pool: VirtualPool,
    spawning: Mutex<Spawning>,
    running: Mutex<Vec<AbortHandle>>,
}

impl Unreliable {
    pub(crate) fn new(pool: VirtualPool, spawning: Spawning) -> Arc<Self> {
        let (spawning, running) = (Mutex::new(spawning), Mutex::default());
        Arc::new(Self { pool, spawning, running })
    }

    pub(crate) fn set(&self, spawning: Spawning) {
        *self.spawning.lock().unwrap() = spawning;
    }

    /// Aborts every future.
    pub(crate) fn abort(&self) {
        self.running.lock().unwrap().drain(..).for_each(|running| running.abort());
    }
}

impl Runtime for Unreliable {
    fn now(&self) -> Duration {
        self.pool.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        self.pool.sleep_until(moment)
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        let spawning = *self.spawning.lock().unwrap();
        match spawning {
            Spawning::Refuses => return Err(SpawnError::new("the runtime is full")),
            Spawning::Panics => panic!("spawn panics as planned"),
            Spawning::Drops => return Ok(()),
            Spawning::Runs => {}
        }
        let (future, running) = abortable(future);
        self.running.lock().unwrap().push(running);
        self.pool.spawn(Box::pin(async move { _ = future.await }))
    }

    fn utc_now(&self) -> UtcDateTime {
        self.pool.utc_now()
    }
}
