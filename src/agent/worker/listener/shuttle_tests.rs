//! A listener that is dropped while it is called, under many interleavings of threads.

use super::{Cell, Listener, Listeners};
use crate::agent::sink::StatusSink;
use crate::agent::sync::Mutex;
use crate::agent::sync::model::explore;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::sync::Arc;
use core::mem;
use shuttle::thread;

fn status() -> TaskStatus {
    TaskStatus::new(TaskState::Running)
}

/// A listener that the worker has introduced, and its cell.
fn listen(sink: impl StatusSink + 'static) -> (Listener, Arc<Cell>) {
    let listeners = Arc::new(Listeners::default());
    let (listener, is_news) = listeners.add(sink);
    assert!(is_news);
    assert_eq!(listeners.see_newcomers(), [1]);
    listeners.introduced(1);
    let cell = Arc::clone(&listeners.all()[&1]);
    (listener, cell)
}

/// Calls the sink a few times, until its listener was dropped.
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
        let (listener, cell) = listen(move |_: &str, _: TaskStatus| {
            // Not asserted here: a panic of a sink is caught.
            *counted.lock() += u32::from(*seen.lock());
            thread::yield_now();
            *counted.lock() += u32::from(*seen.lock());
        });
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
        let (listener, cell) = listen(move |_: &str, _: TaskStatus| {
            let listener = mem::take(&mut *own.lock());
            drop(listener);
        });
        *place.lock() = Some(listener);
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
        let (listener, cell) = listen(|_: &str, _: TaskStatus| {
            // Not `panic!`: the model checker would print a report for each one.
            std::panic::resume_unwind(alloc::boxed::Box::new("as planned"));
        });
        let calling = thread::spawn(move || call(&cell));
        drop(listener);
        calling.join().unwrap();
    });
}

#[test]
fn a_listener_that_is_dropped_while_it_is_introduced_is_taken_out() {
    explore(|| {
        let listeners = Arc::new(Listeners::default());
        let (listener, _) = listeners.add(|_: &str, _: TaskStatus| {});
        let introducing = Arc::clone(&listeners);
        let worker = thread::spawn(move || {
            for number in introducing.see_newcomers() {
                let Some(cell) = introducing.newcomer(number) else { continue };
                call(&cell);
                introducing.introduced(number);
            }
        });
        drop(listener);
        worker.join().unwrap();
        assert!(listeners.0.lock().newcomers.is_empty());
        assert!(listeners.all().is_empty());
    });
}
