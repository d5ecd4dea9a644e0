//! An executor whose calls take time, fail, hang and panic at random. It counts its workloads.

use super::chance::{Chance, PLANNED};
use onward::exec::{
    Assignment, Controller, ControllerError, ControllerLogs, Executor, LogMessage, LogPublisher,
    LogSubscriptionOptions, SharedLogs,
};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The workloads and controllers that exist.
#[derive(Default, Debug)]
pub(crate) struct Counts {
    pub(crate) made: AtomicU64,
    pub(crate) dropped: AtomicU64,
    /// The number of calls in flight of each controller. More than one is an error.
    pub(crate) overlaps: AtomicU64,
}

/// The executor. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Factory {
    chance: Arc<Chance>,
    pub(crate) counts: Arc<Counts>,
}

impl Factory {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: Arc::new(Chance::new(seed)), counts: Arc::default() }
    }

    /// Asserts that all controllers were dropped.
    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let (made, dropped) = (count(&self.counts.made), count(&self.counts.dropped));
        assert_eq!(made, dropped, "controllers that were made, and that were dropped");
        assert!(made > 0, "there were controllers");
        assert_eq!(count(&self.counts.overlaps), 0, "operations that ran beside another");
    }

    /// One call: it takes up to 2 ms, and then returns, fails or panics at random.
    async fn call(&self) -> Result<(), ControllerError> {
        for _ in 0..self.chance.below(3) {
            tokio::task::yield_now().await;
        }
        if self.chance.one_in(3) {
            tokio::time::sleep(Duration::from_micros(self.chance.below(2000))).await;
        }
        match self.chance.below(40) {
            0 => panic!("a call panics {PLANNED}"),
            1 => Err(ControllerError::new("for good")),
            2..6 => Err(ControllerError::new("for now").temporary()),
            _ => Ok(()),
        }
    }
}

impl Executor for Factory {
    type Definition = u64;
    type Controller = Machine;

    async fn controller(&self, _: &Assignment<u64>) -> Result<Machine, ControllerError> {
        self.call().await?;
        self.counts.made.fetch_add(1, Ordering::AcqRel);
        Ok(Machine { factory: self.clone(), calls: AtomicU64::new(0) })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        self.call().await?;
        Ok(vec!["orphan".into(), "t1".into()])
    }

    async fn reconcile(&self, _: &str) -> Result<(), ControllerError> {
        self.call().await?;
        if self.chance.one_in(4) { pending().await } else { Ok(()) }
    }
}

/// A controller of this executor.
#[derive(Debug)]
pub(crate) struct Machine {
    factory: Factory,
    /// The number of calls in flight.
    calls: AtomicU64,
}

/// A call in progress.
struct InProgress<'a>(&'a Machine);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Machine {
    async fn call(&self) -> Result<(), ControllerError> {
        if self.calls.fetch_add(1, Ordering::AcqRel) > 0 {
            self.factory.counts.overlaps.fetch_add(1, Ordering::AcqRel);
        }
        let _in_progress = InProgress(self);
        self.factory.call().await
    }

    /// As `call`, but one in this many hangs.
    async fn call_or_hang(&self, times: u64) -> Result<(), ControllerError> {
        self.call().await?;
        if self.factory.chance.one_in(times) { pending().await } else { Ok(()) }
    }
}

impl Controller for Machine {
    type Definition = u64;

    async fn update(&mut self, _: &u64) -> Result<(), ControllerError> {
        self.call_or_hang(8).await
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call_or_hang(16).await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call_or_hang(16).await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call_or_hang(2).await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call_or_hang(4).await
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.call().await
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.call_or_hang(8).await
    }
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.call().await
    }
    fn logs(&self) -> Option<SharedLogs> {
        match self.factory.chance.below(32) {
            0 => panic!("logs panics {PLANNED}"),
            1..8 => None,
            _ => Some(SharedLogs::new(Lines)),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.factory.counts.dropped.fetch_add(1, Ordering::AcqRel);
        let panics = !std::thread::panicking() && self.factory.chance.one_in(16);
        assert!(!panics, "a dropped controller panics {PLANNED}");
    }
}

/// Three lines, and no more.
struct Lines;

impl ControllerLogs for Lines {
    async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        for _ in 0..3 {
            publisher.publish(LogMessage::stdout("a line")).await?;
        }
        if options.follow { pending().await } else { Ok(()) }
    }
}
