//! A reporter and its handle.

use super::model::explore_often;
use super::place::Still;
use futures::channel::oneshot;
use futures::future::select;
use onward::agent::reporter::{ReportError, StatusUpdate};
use onward::agent::{Reporter, StatusReporter, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use shuttle::future::block_on;
use shuttle::thread;
use std::collections::BTreeSet;
use std::pin::pin;

/// A manager that ends the test when the last statuses have arrived.
struct Manager {
    missing: BTreeSet<&'static str>,
    all_arrived: Option<oneshot::Sender<()>>,
}

impl StatusReporter for Manager {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        shuttle::future::yield_now().await;
        for update in updates {
            if update.status.state == TaskState::Complete {
                self.missing.remove(&*update.id);
            }
        }
        if self.missing.is_empty()
            && let Some(all_arrived) = self.all_arrived.take()
        {
            _ = all_arrived.send(());
        }
        Ok(())
    }
}

#[test]
fn the_last_statuses_of_two_threads_are_delivered() {
    explore_often(4, || {
        let (all_arrived, arrived) = oneshot::channel();
        let missing = ["a", "b"].into();
        let manager = Manager { missing, all_arrived: Some(all_arrived) };
        let mut reporter = Reporter::new(manager, Still::shared());
        let threads = ["a", "b"].map(|id| {
            let sink = reporter.handle();
            thread::spawn(move || {
                for state in [TaskState::Running, TaskState::Complete] {
                    sink.changed(id, TaskStatus::new(state));
                }
            })
        });
        block_on(select(pin!(reporter.run()), arrived));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
