//! On tokio.

use super::timer::Timer;
use core::future::pending;
use core::time::Duration;
use futures::task::{FutureObj, Spawn, SpawnError};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// The timer of the tokio runtime, for code that runs on one, with its time enabled:
/// a sleep panics elsewhere. It can be made anywhere.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::{Timer, TokioTimer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let timer = TokioTimer::new();
/// let soon = timer.now() + Duration::from_millis(1);
/// timer.sleep_until(soon).await;
/// assert!(timer.now() >= soon);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioTimer {
    origin: Instant,
}

impl TokioTimer {
    /// A timer whose time begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep_until(&self, moment: Duration) {
        match self.origin.checked_add(moment) {
            Some(moment) => sleep_until(moment).await,
            None => pending().await,
        }
    }
}

/// Spawns on a tokio runtime: what a [`Worker`](super::Worker) puts its tasks on.
///
/// ```
/// use futures::task::SpawnExt;
/// use onward::agent::TokioSpawner;
///
/// // On a runtime: `Handle::current()`.
/// let runtime = tokio::runtime::Runtime::new()?;
/// let spawner = TokioSpawner::new(runtime.handle().clone());
/// let answer = spawner.spawn_with_handle(async { 42 })?;
/// assert_eq!(runtime.block_on(answer), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokioSpawner(Handle);

impl TokioSpawner {
    /// Spawns on the runtime of this handle.
    pub fn new(runtime: Handle) -> Self {
        Self(runtime)
    }
}

impl Spawn for TokioSpawner {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        // Nobody waits for it: the worker sees its end.
        drop(self.0.spawn(future));
        Ok(())
    }
}
