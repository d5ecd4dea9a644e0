//! Limits how many tasks are started at once.

use std::{num::NonZero, pin::pin, sync::LazyLock, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// The turns of preparations. Preparing a task mostly waits for the disk, so there are more turns
/// than processors.
pub(crate) static PREPARING: LazyLock<Turns> = LazyLock::new(|| Turns::per_processor(8));

/// The turns of launches. A keeper that starts keeps a processor busy. More of them at once would
/// hold back the agent, which must answer requests at the same time.
pub(crate) static LAUNCHING: LazyLock<Turns> = LazyLock::new(|| Turns::per_processor(2));

/// How long a turn blocks others. Work that takes longer waits for something other than the
/// processor, such as a disk.
const HOLDS_BACK: Duration = Duration::from_secs(1);

/// A limited number of turns.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    fn per_processor(turns: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Semaphore::new(turns * processors))
    }

    /// Runs `work` when its turn has come. Turns come in the order of the calls.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, its turn is free again.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        // The semaphore is never closed.
        let turn = self.0.acquire().await;
        let mut work = pin!(work);
        if let Ok(done) = timeout(HOLDS_BACK, &mut work).await {
            return done;
        }
        drop(turn);
        work.await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::{join_all, select_all};

    use super::*;

    #[tokio::test]
    async fn work_that_waits_for_long_does_not_block_other_work() {
        let limit = 3;
        let turns = Turns(Semaphore::new(limit));
        let began = AtomicUsize::new(0);
        let hanging = (0..limit).map(|_| {
            turns
                .run(async {
                    began.fetch_add(1, Ordering::Relaxed);
                    pending::<()>().await;
                })
                .boxed_local()
        });
        let others = join_all((0..100).map(|number| turns.run(async move { number })));
        let hanging = select_all(hanging);
        let done = async {
            tokio::select! {
                biased;
                _ = hanging => Vec::new(),
                numbers = others => numbers,
            }
        };
        let done = timeout(Duration::from_secs(60), done).await.unwrap();
        assert_eq!(began.into_inner(), limit, "the first ones have a turn each");
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        assert_eq!(turns.0.available_permits(), limit, "all turns are free again");
    }
}
