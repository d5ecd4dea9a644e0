//! A store that reports its commits to the board and the metrics.

use std::sync::Arc;
use std::time::Instant;

use onward::agent::Store;
use onward::agent::store::{StoreChange, StoreError, StoredTask};

use crate::board::Board;
use crate::metrics::Metrics;

/// Wraps a store. It shows failed commits on the board, and measures all commits if there are
/// metrics.
pub(super) struct NotedStore<S> {
    pub(super) store: S,
    pub(super) board: Arc<Board>,
    pub(super) metrics: Option<Arc<Metrics>>,
}

impl<D: Send + Sync, S: Store<D>> Store<D> for NotedStore<S> {
    async fn load(&self) -> Result<Vec<StoredTask<D>>, StoreError> {
        self.store.load().await
    }

    async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
        let measured = self.metrics.as_ref().map(|metrics| (metrics, Instant::now()));
        let result = self.store.commit(changes).await;
        let error = result.as_ref().err().map(ToString::to_string);
        if let Some((metrics, began)) = measured {
            metrics.commit(began.elapsed(), error.clone());
        }
        self.board.notice("store", error);
        result
    }
}
