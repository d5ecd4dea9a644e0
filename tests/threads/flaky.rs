//! A runtime whose `spawn` fails at random, and a store whose commits fail at random.

use super::chance::Chance;
use futures::future::BoxFuture;
use onward::agent::runtime::SpawnError;
use onward::agent::store::{StoreCall, StoreChange, StoreError, StoreFault, StoredTask};
use onward::agent::{MemoryStore, Runtime, Store, TokioRuntime};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Its time is that of one tokio runtime. It spawns on another one, which may be shut down.
pub(crate) struct Flaky {
    time: TokioRuntime,
    place: Handle,
    chance: Chance,
    /// Whether it refuses and drops some futures.
    is_unreliable: bool,
    spawned: Mutex<Vec<AbortHandle>>,
}

impl Flaky {
    pub(crate) fn new(time: &Handle, place: &Handle, seed: u64, is_unreliable: bool) -> Arc<Self> {
        let (time, place) = (TokioRuntime::new(time.clone()), place.clone());
        let (chance, spawned) = (Chance::new(seed), Mutex::default());
        Arc::new(Self { time, place, chance, is_unreliable, spawned })
    }

    /// Aborts some of what it has spawned.
    pub(crate) fn abort_some(&self) {
        let mut spawned = self.spawned.lock().unwrap();
        spawned.retain(|spawned| !spawned.is_finished());
        spawned.iter().filter(|_| self.chance.one_in(3)).for_each(AbortHandle::abort);
    }
}

impl Runtime for Flaky {
    fn now(&self) -> Duration {
        self.time.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep_until(moment)
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        match self.chance.below(8) {
            0 if self.is_unreliable => Err(SpawnError::new("refused")),
            1 if self.is_unreliable => Ok(()),
            _ => {
                let spawned = self.place.spawn(future).abort_handle();
                self.spawned.lock().unwrap().push(spawned);
                Ok(())
            }
        }
    }
}

/// A store in memory that lets others run before it commits, and fails one commit in ten.
#[derive(Clone)]
pub(crate) struct FlakyStore(MemoryStore<u64>);

impl FlakyStore {
    pub(crate) fn new(seed: u64) -> Self {
        let (store, chance) = (MemoryStore::new(), Chance::new(seed));
        store.set_faults(move |call| {
            let fails = matches!(call, StoreCall::Commit(_)) && chance.one_in(10);
            let written = if chance.one_in(2) { 0 } else { usize::MAX };
            fails.then_some(StoreFault::Fails { written })
        });
        Self(store)
    }
}

impl Store<u64> for FlakyStore {
    async fn load(&self) -> Result<Vec<StoredTask<u64>>, StoreError> {
        self.0.load().await
    }

    async fn commit(&self, changes: &[StoreChange<u64>]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.0.commit(changes).await
    }
}
