//! The reporter is fair, and `flush` makes a last attempt. (13)

use super::agent::within;
use onward::agent::reporter::{ReportError, ReporterHandle, StatusUpdate};
use onward::agent::{Reporter, StatusReporter, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::{Reply, ScriptedReporter, VirtualPool, VirtualTime};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn status(state: TaskState, message: usize) -> TaskStatus {
    let mut status = TaskStatus::new(state);
    status.message = message.to_string().into();
    status
}

/// Changes the statuses of busy tasks in every call.
struct Busy {
    handle: Arc<Mutex<Option<ReporterHandle>>>,
    ids: Vec<String>,
    calls: usize,
    /// The first call that had a status of the quiet task.
    heard: Arc<Mutex<Option<usize>>>,
}

impl StatusReporter for Busy {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        self.calls += 1;
        if updates.iter().any(|update| &*update.id == "zzz") {
            self.heard.lock().unwrap().get_or_insert(self.calls);
        }
        if self.calls < 50 {
            let handle = self.handle.lock().unwrap().clone();
            for id in &self.ids {
                let handle = handle.as_ref().expect("the reporter has a handle");
                handle.changed(id, status(TaskState::Running, self.calls));
            }
        }
        Ok(())
    }
}

/// The number of the first call with the quiet task, beside this many busy ones.
fn first_call_with_the_quiet_task(busy: usize) -> usize {
    let pool = VirtualPool::new(VirtualTime::new(), 1);
    let (place, heard) = (Arc::default(), Arc::default());
    let ids: Vec<_> = (0..busy).map(|index| format!("a{index:05}")).collect();
    let upstream =
        Busy { handle: Arc::clone(&place), ids: ids.clone(), calls: 0, heard: Arc::clone(&heard) };
    let mut reporter = Reporter::new(upstream, Arc::new(pool.clone()));
    let handle = reporter.handle();
    for id in &ids {
        handle.changed(id, status(TaskState::Running, 0));
    }
    handle.changed("zzz", status(TaskState::Failed, 0));
    *place.lock().unwrap() = Some(handle);
    within(&pool, "everything is delivered", reporter.flush(Duration::from_secs(60))).unwrap();
    let first = *heard.lock().unwrap();
    first.expect("the status of the quiet task is reported")
}

#[test]
fn busy_tasks_do_not_starve_another() {
    assert!(first_call_with_the_quiet_task(1000) <= 2);
    assert!(first_call_with_the_quiet_task(3500) <= 5);
}

/// A reporter after many failures, whose next attempt is far away.
fn in_back_off(
    replies: impl IntoIterator<Item = Reply>,
) -> (VirtualPool, Reporter<ScriptedReporter>, ScriptedReporter) {
    let pool = VirtualPool::new(VirtualTime::new(), 1);
    let upstream = ScriptedReporter::new(pool.time().clone());
    upstream.reply(replies);
    let mut reporter = Reporter::new(upstream.clone(), Arc::new(pool.clone()));
    reporter.handle().changed("x", TaskStatus::new(TaskState::Failed));
    let run = super::agent::try_within(&pool, 70_000, reporter.run());
    assert!(run.is_none(), "run never returns");
    (pool, reporter, upstream)
}

#[test]
fn flush_makes_an_attempt_during_any_back_off() {
    let (pool, mut reporter, upstream) = in_back_off((0..7).map(|_| Reply::Unreachable));
    let calls = upstream.take_calls().len();
    assert!((3..=7).contains(&calls), "{calls} calls: it backs off");
    upstream.reply([]);
    let until = pool.time().now() + Duration::from_millis(100);
    within(&pool, "flush returns", reporter.flush(until)).unwrap();
    assert!(upstream.take_arrived().iter().any(|update| &*update.id == "x"));
}

#[test]
fn flush_retries_a_refused_status() {
    let refused = |_| Reply::ArrivesExcept(vec![("x".into(), onward::testing::Delivery::Refused)]);
    let (pool, mut reporter, upstream) = in_back_off((0..20).map(refused));
    upstream.take_calls();
    let until = pool.time().now() + Duration::from_millis(100);
    let flushed = within(&pool, "flush returns", reporter.flush(until));
    assert!(!upstream.take_calls().is_empty(), "flush has made no attempt");
    assert!(flushed.is_ok() || flushed.is_err_and(|left| left.len() == 1));
}

#[test]
fn flush_returns_the_statuses_that_have_not_arrived() {
    let (pool, mut reporter, upstream) = in_back_off((0..100).map(|_| Reply::Unreachable));
    upstream.take_calls();
    let until = pool.time().now() + Duration::from_secs(10);
    let left = within(&pool, "flush returns", reporter.flush(until)).unwrap_err();
    assert_eq!((left.len(), &*left[0].id), (1, "x"));
    assert!(!upstream.take_calls().is_empty(), "flush has made no attempt");
}
