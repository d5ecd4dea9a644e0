//! Jobs: requests that create, start or remove things of a task. They run in order, one at a time, and
//! each to its end.
//!
//! A request that was sent takes effect even if its future is dropped. If the
//! future of `prepare` is dropped, the engine may create a container after a later `remove` has
//! found none. So such a request is a job: it runs to its end, and the next job of the same task
//! begins after it.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onward::exec::ControllerError;
use tokio::sync::watch;

/// The jobs of all tasks of an executor. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<String, Last>>>);

/// The last job of a task. It has ended when the sender is gone.
type Last = watch::Receiver<()>;

impl Jobs {
    /// Runs a job of this task after its earlier ones.
    ///
    /// # Errors
    ///
    /// Those of the job, and a temporary one if the runtime is shut down.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped after the first poll, the job runs on. The next job waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        task: &str,
        job: impl Future<Output = Result<T, ControllerError>> + Send + 'static,
    ) -> Result<T, ControllerError> {
        let (running, done) = watch::channel(());
        let before = self.lock().insert(task.to_owned(), done);
        let (jobs, task) = (self.clone(), task.to_owned());
        let handle = tokio::spawn(async move {
            let _end = End { jobs, task, running: Some(running) };
            if let Some(before) = before {
                ended(before).await;
            }
            job.await
        });
        handle.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => {
                Err(ControllerError::interrupted("the runtime is shut down").with_source(error))
            }
        })
    }

    /// Waits until the jobs of this task have ended that were begun before.
    pub(crate) async fn settle(&self, task: &str) {
        let last = self.lock().get(task).cloned();
        if let Some(last) = last {
            ended(last).await;
        }
    }

    /// Waits until no task has a job.
    pub(crate) async fn settle_all(&self) {
        loop {
            let Some(any) = self.lock().values().next().cloned() else { return };
            ended(any).await;
            // The job takes itself off the list just after that.
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ended(mut job: Last) {
    while job.changed().await.is_ok() {}
}

/// Ends a job, however it ends.
struct End {
    jobs: Jobs,
    task: String,
    running: Option<watch::Sender<()>>,
}

impl Drop for End {
    fn drop(&mut self) {
        drop(self.running.take());
        let mut jobs = self.jobs.lock();
        // A later job has taken its place.
        if jobs.get(&self.task).is_some_and(|last| last.has_changed().is_err()) {
            jobs.remove(&self.task);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_dropped_job_runs_to_its_end_before_the_next() {
        let jobs = Jobs::default();
        let done = Arc::new(Mutex::new(Vec::new()));
        let job = |name: &'static str, millis| {
            let done = done.clone();
            async move {
                sleep(Duration::from_millis(millis)).await;
                done.lock().unwrap().push(name);
                Ok(())
            }
        };
        assert!(jobs.run("a", job("first", 20)).now_or_never().is_none());
        assert!(jobs.run("a", job("second", 10)).now_or_never().is_none());
        jobs.run("b", job("other", 0)).await.unwrap();
        jobs.run("a", job("third", 0)).await.unwrap();
        assert_eq!(*done.lock().unwrap(), ["other", "first", "second", "third"]);
        jobs.settle_all().await;
        assert!(jobs.lock().is_empty());
    }
}
