//! The limit, under many interleavings of threads.

use super::{Limit, Permit};
use crate::agent::sync::Mutex;
use crate::agent::sync::model::explore;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use shuttle::future::block_on;
use shuttle::thread;

fn wait(permit: &mut Permit) {
    block_on(poll_fn(|context| permit.poll(context)));
}

/// Polls a permit once.
fn ask(permit: &mut Permit) -> Poll<()> {
    block_on(poll_fn(|context| Poll::Ready(permit.poll(context))))
}

fn assert_nothing_is_lost(limit: &Limit, most: usize) {
    let state = limit.0.lock();
    assert_eq!((state.free, state.waiting.len(), state.granted.len()), (most, 0, 0));
}

#[test]
fn no_more_than_the_limit_run_and_all_of_them_do() {
    explore(|| {
        let (limit, running) = (Limit::new(2), Arc::new(Mutex::new(0)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (limit, running) = (limit.clone(), Arc::clone(&running));
                thread::spawn(move || {
                    let mut permit = limit.permit();
                    wait(&mut permit);
                    *running.lock() += 1;
                    assert!(*running.lock() <= 2, "more than the limit run");
                    *running.lock() -= 1;
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_nothing_is_lost(&limit, 2);
    });
}

#[test]
fn a_permit_that_is_given_up_while_it_waits_is_not_lost() {
    explore(|| {
        let limit = Limit::new(1);
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let limit = limit.clone();
                thread::spawn(move || {
                    let mut permit = limit.permit();
                    // Two of them ask once or twice, and do not wait.
                    if number < 2 {
                        _ = ask(&mut permit);
                        thread::yield_now();
                        _ = ask(&mut permit);
                    } else {
                        wait(&mut permit);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_nothing_is_lost(&limit, 1);
    });
}

#[test]
fn permits_are_granted_in_the_order_in_which_they_were_asked_for() {
    explore(|| {
        let limit = Limit::new(1);
        let mut first = limit.permit();
        assert!(ask(&mut first).is_ready());
        let mut waiting: Vec<_> = (0..3).map(|_| limit.permit()).collect();
        assert!(waiting.iter_mut().all(|permit| ask(permit).is_pending()));
        let order = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = waiting
            .into_iter()
            .enumerate()
            .map(|(number, mut permit)| {
                let order = Arc::clone(&order);
                thread::spawn(move || {
                    wait(&mut permit);
                    order.lock().push(number);
                })
            })
            .collect();
        drop(first);
        // A new permit waits behind them.
        let mut last = limit.permit();
        wait(&mut last);
        order.lock().push(3);
        drop(last);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let order = order.lock().clone();
        let newcomer = order.iter().position(|number| *number == 3);
        let others: Vec<_> = order.iter().copied().filter(|number| *number < 3).collect();
        assert_eq!(others, vec![0, 1, 2], "the newcomer at {newcomer:?}");
        assert_nothing_is_lost(&limit, 1);
    });
}
