//! The limit with many permits that wait.

use super::{Limit, Permit};
use alloc::vec::Vec;
use core::task::{Context, Waker};
use std::time::{Duration, Instant};

fn is_ready(permit: &mut Permit) -> bool {
    permit.poll(&Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_hundred_thousand_permits_are_granted_without_a_scan_of_the_queue() {
    const WAITING: usize = 100_000;
    let limit = Limit::new(1);
    let mut running = limit.permit();
    assert!(is_ready(&mut running));
    let began = Instant::now();
    let mut waiting: Vec<_> = (0..WAITING).map(|_| limit.permit()).collect();
    for permit in &mut waiting {
        assert!(!is_ready(permit));
    }
    // The last permits of the queue are polled again, and half of them are dropped.
    for permit in waiting.iter_mut().rev() {
        assert!(!is_ready(permit));
    }
    waiting.truncate(WAITING / 2);
    for mut next in waiting {
        assert!(!is_ready(&mut next));
        drop(running);
        assert!(is_ready(&mut next));
        running = next;
    }
    // With scans this would take minutes.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
