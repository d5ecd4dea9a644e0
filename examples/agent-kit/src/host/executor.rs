//! An executor that reports orphans to the board: workloads that run and belong to no task.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use onward::exec::{Assignment, ControllerError, Executor};

use crate::board::Board;

/// Wraps an executor. It shows on the board which orphans cannot be found or removed.
pub(super) struct NotedExecutor<E> {
    executor: E,
    board: Arc<Board>,
    /// The errors of the orphans that could not be removed, by id.
    orphans: Mutex<BTreeMap<String, String>>,
}

impl<E> NotedExecutor<E> {
    pub(super) fn new(executor: E, board: Arc<Board>) -> Self {
        Self { executor, board, orphans: Mutex::default() }
    }
}

impl<E: Executor> Executor for NotedExecutor<E> {
    type Definition = E::Definition;
    type Controller = E::Controller;

    async fn controller(
        &self,
        assignment: &Assignment<E::Definition>,
    ) -> Result<E::Controller, ControllerError> {
        self.executor.controller(assignment).await
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let listed = self.executor.list().await;
        let notice = |error| format!("cannot look for workloads that belong to no task: {error:#}");
        self.board.notice("list", listed.as_ref().err().map(notice));
        listed
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        let reconciled = self.executor.reconcile(id).await;
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.remove(id);
        orphans
            .extend(reconciled.as_ref().err().map(|error| (id.to_owned(), format!("{error:#}"))));
        let notices: Vec<_> = orphans
            .iter()
            .map(|(id, error)| {
                format!("cannot remove the workload {id}, which belongs to no task: {error}")
            })
            .collect();
        self.board.notice("orphans", Some(notices.join("; ")).filter(|notice| !notice.is_empty()));
        reconciled
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use onward::exec::{Controller, ControllerError};

    /// An executor whose calls fail if `fails` is set.
    struct Orphans {
        fails: Mutex<bool>,
    }

    struct None;

    impl Controller for None {
        type Definition = ();

        async fn start(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn wait(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
        async fn shutdown(&mut self) -> Result<(), ControllerError> {
            Ok(())
        }
    }

    impl Orphans {
        fn answer(&self) -> Result<(), ControllerError> {
            if *self.fails.lock().unwrap() {
                Err(ControllerError::new("no engine"))
            } else {
                Ok(())
            }
        }
    }

    impl Executor for Orphans {
        type Definition = ();
        type Controller = None;

        async fn controller(&self, _: &Assignment<()>) -> Result<None, ControllerError> {
            Ok(None)
        }
        async fn list(&self) -> Result<Vec<String>, ControllerError> {
            self.answer().map(|()| vec!["a".to_owned()])
        }
        async fn reconcile(&self, _: &str) -> Result<(), ControllerError> {
            self.answer()
        }
    }

    #[tokio::test]
    async fn the_board_shows_the_orphans_that_cannot_be_removed_until_they_are() {
        let board = Arc::new(Board::default());
        let executor = NotedExecutor::new(Orphans { fails: true.into() }, Arc::clone(&board));
        assert!(executor.list().await.is_err());
        assert!(executor.reconcile("a").await.is_err());
        let expected = [
            "cannot look for workloads that belong to no task: no engine",
            "cannot remove the workload a, which belongs to no task: no engine",
        ];
        assert_eq!(board.notices(), expected);
        *executor.executor.fails.lock().unwrap() = false;
        assert_eq!(executor.list().await.unwrap(), ["a"]);
        assert!(executor.reconcile("a").await.is_ok());
        assert_eq!(board.notices(), [""; 0]);
    }
}
