//! A signal and its watchers, under many interleavings of threads.

use super::{Signal, Watcher};
use crate::agent::sync::Mutex;
use crate::agent::sync::model::explore;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use shuttle::future::block_on;
use shuttle::thread;

#[derive(Default)]
struct Place {
    value: Mutex<u32>,
    signal: Signal,
}

impl Place {
    /// Changes the value, and notifies the watchers.
    fn add(&self) {
        *self.value.lock() += 1;
        self.signal.notify();
    }

    /// Waits until the value is this.
    fn wait_for(&self, value: u32) {
        let mut watching = self.signal.watch();
        block_on(poll_fn(|context| {
            while watching.poll(context).is_ready() {
                if *self.value.lock() == value {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        }));
    }

    fn waiting(&self) -> usize {
        self.signal.0.lock().waiting.as_ref().map_or(0, |waiting| waiting.0.len())
    }
}

fn spawn(place: &Arc<Place>, act: impl FnOnce(&Place) + Send + 'static) -> thread::JoinHandle<()> {
    let place = Arc::clone(place);
    thread::spawn(move || act(&place))
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_watcher_sees_the_last_change() {
    explore(|| {
        let place = Arc::new(Place::default());
        let adding = (0..2).map(|_| spawn(&place, |place| (place.add(), place.add()).1));
        let watching = (0..2).map(|_| spawn(&place, |place| place.wait_for(4)));
        join(adding.chain(watching).collect());
        assert_eq!(place.waiting(), 0);
    });
}

#[test]
fn a_watcher_that_is_dropped_leaves_nothing() {
    explore(|| {
        let place = Arc::new(Place::default());
        let adding = spawn(&place, Place::add);
        let watching = (0..2).map(|_| {
            spawn(&place, |place| {
                let mut watching = place.signal.watch();
                block_on(poll_fn(|context| {
                    while watching.poll(context).is_ready() {}
                    Poll::Ready(())
                }));
            })
        });
        join(watching.chain([adding]).collect());
        assert_eq!(place.waiting(), 0);
    });
}

#[test]
fn a_change_wakes_the_waker_of_the_last_poll() {
    explore(|| {
        let place = Arc::new(Place::default());
        let mut watcher = Watcher::default();
        let mut context = core::task::Context::from_waker(Waker::noop());
        while place.signal.poll(&mut watcher, &context).is_ready() {}
        let adding = spawn(&place, Place::add);
        // The same watcher waits in another task from now on.
        block_on(poll_fn(|context| place.signal.poll(&mut watcher, context)));
        adding.join().unwrap();
        assert_eq!(*place.value.lock(), 1);
        context = core::task::Context::from_waker(Waker::noop());
        assert!(place.signal.poll(&mut watcher, &context).is_pending());
        place.signal.forget(&watcher);
        assert_eq!(place.waiting(), 0);
    });
}
