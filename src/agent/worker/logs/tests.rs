//! How much a follower of logs looks at.

use super::super::handle::{Common, WorkerHandle};
use super::super::view::Row;
use super::LogSelector;
use crate::agent::driver::Shared;
use crate::agent::store::TaskRecord;
use crate::exec::{Assignment, LogMessage, LogSubscriptionOptions};
use crate::lifecycle::Task;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use time::UtcDateTime;

fn row(id: &str) -> Row<()> {
    let assignment = Arc::new(Assignment::new(id, ()));
    let (id, now) = (Arc::clone(&assignment.id), UtcDateTime::UNIX_EPOCH);
    let seat = Shared::new(id, Task::new().into(), Arc::clone(&assignment), None, now);
    Row {
        record: Arc::new(TaskRecord::new(assignment)),
        seat: Arc::new(seat),
        removal_error: None,
        is_driven_by_worker: false,
        has_logs: false,
    }
}

/// Follows the logs of so many tasks that come and go one by one. Returns how many tasks were
/// looked at.
fn looks(count: usize) -> usize {
    let common = Arc::new(Common::new());
    let handle = WorkerHandle::new(Arc::clone(&common));
    let ids: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
    let selector = ids.iter().fold(LogSelector::default(), LogSelector::or_task);
    let options = LogSubscriptionOptions::follow();
    let open = |_: &str| async |_: LogMessage| Ok(());
    let mut following = pin!(handle.logs(&selector, &options, open));
    let mut poll = || {
        let polled = following.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    };
    for is_there in [true, false] {
        for id in &ids {
            assert!(common.view.set(&(&**id).into(), is_there.then(|| row(id))));
            common.view.membership.notify();
            poll();
        }
    }
    common.view.looks.load(Ordering::Relaxed)
}

#[test]
fn a_follower_of_logs_looks_at_each_task_once_for_each_of_its_changes() {
    let count = 1000;
    let looks = looks(count);
    // Each task comes and goes. The first and the last change are looks at all tasks, of which
    // there is none.
    assert!((2 * count - 2..=2 * count).contains(&looks), "{looks} looks at {count} tasks");
}

#[test]
fn a_follower_that_was_not_polled_for_long_looks_at_the_tasks_that_there_are() {
    let common = Common::<()>::new();
    let mut follower = common.view.follow();
    let context = Context::from_waker(Waker::noop());
    assert!(follower.poll(&context).is_ready());
    for index in 0..1000 {
        let id: Arc<str> = format!("t{index}").into();
        common.view.set(&id, Some(row(&id)));
        if index > 0 {
            common.view.set(&id, None);
        }
    }
    common.view.membership.notify();
    let Poll::Ready(seen) = follower.poll(&context) else { unreachable!("there is news") };
    assert!(seen.tasks.len() <= 2, "{} looks at one task", seen.tasks.len());
}
