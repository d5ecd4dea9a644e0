//! The inbox of a worker, under many interleavings of threads.

use super::{Event, Inbox};
use crate::agent::sync::model::explore;
use crate::agent::worker::core::Message;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use futures::channel::oneshot;
use shuttle::future::block_on;
use shuttle::thread;

/// Reads `count` events.
fn read(inbox: &Inbox<()>, count: usize) {
    let mut events = 0;
    while events < count {
        block_on(poll_fn(|context| inbox.poll(context)));
        events += inbox.take().len();
    }
    assert_eq!(events, count);
}

fn putting(inbox: &Arc<Inbox<()>>, count: usize) -> thread::JoinHandle<()> {
    let inbox = Arc::clone(inbox);
    thread::spawn(move || {
        for _ in 0..count {
            assert!(inbox.put(Event::Close).is_none());
        }
    })
}

#[test]
fn the_worker_reads_every_event_that_is_put() {
    explore(|| {
        let inbox = Arc::new(Inbox::new());
        let threads: Vec<_> = (0..3).map(|_| putting(&inbox, 2)).collect();
        read(&inbox, 6);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn an_event_wakes_the_task_that_polled_last() {
    explore(|| {
        let inbox = Arc::new(Inbox::<()>::new());
        let context = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(inbox.poll(&context).is_pending());
        let thread = putting(&inbox, 1);
        read(&inbox, 1);
        thread.join().unwrap();
    });
}

#[test]
fn every_message_is_answered_also_while_the_inbox_is_closed() {
    explore(|| {
        let inbox = Arc::new(Inbox::<()>::new());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || {
                    let (sender, answer) = oneshot::channel();
                    drop(inbox.put(Event::Message(Message::ShutDown, sender)));
                    assert!(block_on(answer).is_err(), "nobody has read it");
                })
            })
            .collect();
        inbox.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(inbox.take().is_empty());
    });
}
