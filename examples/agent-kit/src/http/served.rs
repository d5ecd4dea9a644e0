use std::sync::Arc;

use time::UtcDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::board::Board;
use crate::kind::TaskExecutor;
use crate::metrics::{Recorded, Vitals};
use crate::program::Program;
use crate::tasks::Tasks;

/// The largest number of streams: a page has one, and a second one while it shows a log.
pub(super) const MAX_STREAMS: usize = 64;

/// The agent that is served.
#[derive(Debug)]
pub struct Served<E: TaskExecutor> {
    /// The program of the agent.
    pub program: Program,
    /// The executor, for the details and the logs of tasks.
    pub executor: E,
    /// The board, for the changes of tasks and the notices.
    pub board: Arc<Board>,
    /// The worker and its tasks.
    pub vitals: Vitals<E::Definition>,
}

/// The state of the routes.
#[derive(Debug)]
pub(super) struct App<E: TaskExecutor> {
    pub(super) served: Served<E>,
    pub(super) recorded: Recorded,
    pub(super) started_at: UtcDateTime,
    streams: Arc<Semaphore>,
}

impl<E: TaskExecutor> App<E> {
    pub(super) fn new(served: Served<E>, recorded: Recorded) -> Self {
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        Self { served, recorded, started_at: UtcDateTime::now(), streams }
    }

    pub(super) fn tasks(&self) -> &Tasks<E::Definition> {
        &self.served.vitals.tasks
    }

    /// Allows one more stream, until the result is dropped. `None` if there are too many.
    pub(super) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }
}
