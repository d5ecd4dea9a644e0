//! How much a follower of logs looks at.

use super::super::handle::{Common, WorkerHandle};
use super::super::view::tests::row;
use super::LogSelector;
use crate::exec::{LogMessage, LogSubscriptionOptions};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Waker};

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
            common.view.set(&(&**id).into(), is_there.then(|| row(id)));
            common.view.notify();
            poll();
        }
    }
    common.view.looks.load(Ordering::Relaxed)
}

#[test]
fn a_follower_of_logs_looks_at_each_task_once_for_each_of_its_changes() {
    let count = 1000;
    let looks = looks(count);
    assert_eq!(looks, 2 * count, "each task comes and goes");
}
