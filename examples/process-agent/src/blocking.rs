//! Runs blocking jobs in threads, and lets them find out that their caller is gone.

use std::io;
use std::sync::{Arc, Weak};

/// The future that waits for a blocking job, as the job sees it.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Weak<()>);

impl Caller {
    /// Whether the future still exists. A job must check this before each change that it makes.
    pub(crate) fn waits(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// Runs `job` in a thread for blocking work.
///
/// # Errors
///
/// Fails if the job panics, or if the runtime shuts down.
///
/// # Cancel safety
///
/// If you drop the future, the job continues until it checks whether its [`Caller`] waits.
pub(crate) async fn run<T: Send + 'static>(
    job: impl FnOnce(&Caller) -> T + Send + 'static,
) -> io::Result<T> {
    let exists = Arc::new(());
    let caller = Caller(Arc::downgrade(&exists));
    let done = tokio::task::spawn_blocking(move || job(&caller)).await;
    drop(exists);
    done.map_err(io::Error::other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_job_sees_whether_its_caller_waits() {
        assert!(run(Caller::waits).await.unwrap());
        let (drop_it, is_dropped) = mpsc::channel::<()>();
        let (sender, receiver) = mpsc::channel();
        let job = run(move |caller| {
            _ = is_dropped.recv();
            _ = sender.send(caller.waits());
        });
        assert!(job.now_or_never().is_none());
        drop(drop_it);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(false));
    }
}
