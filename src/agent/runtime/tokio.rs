//! The runtime of an agent on tokio.

use super::{Runtime, SpawnError};
use core::future::pending;
use core::time::Duration;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// Runs an agent on a tokio runtime, which must have its time enabled.
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
    /// Spawns on the runtime of this handle. Its time begins now.
    pub fn new(handle: Handle) -> Self {
        Self { handle, origin: Instant::now() }
    }

    /// Spawns on the runtime that the caller runs on.
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
        // A runtime that is shut down drops the future. The worker notices that.
        drop(self.handle.spawn(future));
        Ok(())
    }
}
