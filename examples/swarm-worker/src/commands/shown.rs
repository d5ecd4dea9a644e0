//! Shows the tasks on standard output while a subcommand runs.

use std::sync::Arc;

use agent_kit::board::Board;
use agent_kit::view::{self, Form};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::PROGRAM;

/// Shows the tasks until [`end`](Self::end).
pub(super) struct Shown {
    done: oneshot::Sender<()>,
    view: JoinHandle<std::io::Result<()>>,
}

impl Shown {
    /// Starts to show the tasks: as a table on a terminal, or as lines. Log lines would break the
    /// table, so `is_logging` selects lines, too.
    pub(super) fn start(board: Arc<Board>, hint: &'static str, is_logging: bool) -> Self {
        let form = if is_logging { Form::Plain } else { Form::of_stdout() };
        let (done, is_done) = oneshot::channel();
        let hint = watch::Sender::new(hint).subscribe();
        let view = tokio::spawn(async move {
            view::show(board, tokio::io::stdout(), form, hint, is_done).await
        });
        Self { done, view }
    }

    /// Shows the final state once.
    pub(super) async fn end(self) {
        drop(self.done);
        if let Ok(Err(error)) = self.view.await {
            PROGRAM.complain(&format!("cannot show the tasks: {error}"));
        }
    }
}
