//! A listener that is dropped while it is called, under all kinds of interleavings.

use super::{Cell, Listener};
use crate::agent::sync::Mutex;
use crate::agent::sync::model::explore;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::sync::Arc;
use core::mem;
use shuttle::thread;

fn status() -> TaskStatus {
    TaskStatus::new(TaskState::Running)
}

/// Calls the sink a few times, until nobody listens.
fn call(cell: &Cell) {
    let mut calls = 0;
    while calls < 3 && cell.changed("x", &status()) && cell.removed("x") {
        calls += 1;
    }
}

#[test]
fn a_sink_is_not_called_after_the_drop_of_its_listener_has_returned() {
    explore(|| {
        let (is_dropped, late) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(0)));
        let (seen, counted) = (Arc::clone(&is_dropped), Arc::clone(&late));
        let cell = Arc::new(Cell::new(move |_: &str, _: TaskStatus| {
            // Not asserted here: a panic of a sink is caught.
            *counted.lock() += u32::from(*seen.lock());
            thread::yield_now();
            *counted.lock() += u32::from(*seen.lock());
        }));
        let listener = Listener::new(Arc::clone(&cell));
        let calling = thread::spawn(move || call(&cell));
        drop(listener);
        *is_dropped.lock() = true;
        calling.join().unwrap();
        assert_eq!(*late.lock(), 0, "called after the drop, or during it and still running");
    });
}

#[test]
fn a_listener_can_be_dropped_by_its_own_sink_or_by_another_thread() {
    explore(|| {
        let place = Arc::new(Mutex::new(None::<Listener>));
        let own = Arc::clone(&place);
        let cell = Arc::new(Cell::new(move |_: &str, _: TaskStatus| {
            let listener = mem::take(&mut *own.lock());
            drop(listener);
        }));
        *place.lock() = Some(Listener::new(Arc::clone(&cell)));
        let called = Arc::clone(&cell);
        let calling = thread::spawn(move || call(&called));
        let listener = mem::take(&mut *place.lock());
        drop(listener);
        calling.join().unwrap();
        assert!(place.lock().is_none());
        assert!(!cell.changed("x", &status()), "nobody listens any more");
    });
}

#[test]
fn a_sink_that_panics_does_not_keep_the_drop_of_its_listener_waiting() {
    explore(|| {
        let cell = Arc::new(Cell::new(|_: &str, _: TaskStatus| {
            // Not `panic!`: the model checker would print a report for each one.
            std::panic::resume_unwind(alloc::boxed::Box::new("as planned"));
        }));
        let listener = Listener::new(Arc::clone(&cell));
        let calling = thread::spawn(move || call(&cell));
        drop(listener);
        calling.join().unwrap();
    });
}
