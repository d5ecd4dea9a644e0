//! A runtime for agents on tokio.

use super::{Runtime, SpawnError};
use core::future::pending;
use core::time::Duration;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// Runs an agent on a tokio runtime. Its time must be enabled (`enable_time`).
///
/// ```
/// use core::time::Duration;
/// use onward::agent::{Runtime, TokioRuntime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runtime = TokioRuntime::current();
/// let soon = runtime.now() + Duration::from_millis(1);
/// runtime.sleep_until(soon).await;
/// assert!(runtime.now() >= soon);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    handle: Handle,
    origin: Instant,
}

impl TokioRuntime {
    /// A runtime that spawns on this handle. Its monotonic time begins now.
    pub fn new(handle: Handle) -> Self {
        Self { handle, origin: Instant::now() }
    }

    /// A runtime that spawns on the tokio runtime of the caller.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as tokio's `Handle::current` does. Use [`new`](Self::new)
    /// there.
    pub fn current() -> Self {
        Self::new(Handle::current())
    }
}

impl Runtime for TokioRuntime {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        match self.origin.checked_add(moment) {
            Some(moment) => {
                // A sleep registers with the runtime that is entered when it is made.
                let _entered = self.handle.enter();
                alloc::boxed::Box::pin(sleep_until(moment))
            }
            None => alloc::boxed::Box::pin(pending()),
        }
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        // If tokio is shutting down, it drops the future. The worker then polls the driver itself.
        drop(self.handle.spawn(future));
        Ok(())
    }
}
