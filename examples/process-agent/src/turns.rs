//! Limits how much of the work of starting tasks is done at once.

use std::{num::NonZero, pin::pin, sync::LazyLock, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// The turns of this process. Much of the work waits for the disk, so there are more turns than
/// processors. Even more of them would take the processor from each other and from the agent,
/// which has to answer meanwhile.
pub(crate) static TURNS: LazyLock<Turns> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Turns(Semaphore::new(8 * processors))
});

/// How long a turn holds back others. Work that takes longer waits for something else than the
/// processor, such as a disk.
const HOLDS_BACK: Duration = Duration::from_secs(1);

/// As many turns as are taken at the same time.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    /// Does this work when its turn has come. The turns come in the order of the calls.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, the turn is free again.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        // It is never closed.
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
    async fn work_that_waits_for_long_holds_back_no_other_work() {
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
        assert_eq!(began.into_inner(), limit, "each of the first has a turn");
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        assert_eq!(turns.0.available_permits(), limit, "every turn is free again");
    }
}
