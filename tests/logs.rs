//! Tests of logs, which are read beside the operations of their controller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use futures::channel::mpsc;
use futures::executor::block_on;
use futures::{FutureExt, SinkExt, StreamExt, future, poll};
use onward::exec::{
    Controller, ControllerError, ControllerLogs, LogMessage, LogPublisher, LogPublisherProvider,
    LogStream, LogSubscriptionOptions, LogTail, SharedLogs,
};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use time::{Duration, UtcDateTime};

/// A log with two messages, which continues forever for followers.
struct Chatter;

impl ControllerLogs for Chatter {
    async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        for message in [LogMessage::stdout("out\n"), LogMessage::stderr("err\n")] {
            if options.wants(message.stream) {
                publisher.publish(message.with_attribute("node", "n1")).await?;
            }
        }
        if options.follow { future::pending().await } else { Ok(()) }
    }
}

/// A workload that runs forever.
struct Endless(SharedLogs);

impl Controller for Endless {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        future::pending().await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    fn logs(&self) -> Option<SharedLogs> {
        Some(self.0.clone())
    }
}

#[test]
fn logs_are_read_while_wait_is_in_flight() {
    let mut controller = Endless(SharedLogs::new(Chatter)).boxed();
    let logs = controller.logs().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    block_on(async {
        let mut wait = pin!(controller.wait());
        assert!(poll!(&mut wait).is_pending());
        let listener = heard.clone();
        let publisher = move |message: LogMessage| {
            listener.lock().unwrap().push(message.data);
            future::ready(Ok(()))
        };
        logs.logs(publisher, LogSubscriptionOptions::default()).await.unwrap();
        assert!(poll!(&mut wait).is_pending());
    });
    assert_eq!(*heard.lock().unwrap(), [b"out\n", b"err\n"]);
}

#[test]
fn the_debug_output_of_shared_logs_has_no_contents() {
    assert_eq!(format!("{:?}", SharedLogs::new(Chatter)), "SharedLogs { .. }");
}

#[test]
fn a_stream_that_is_not_selected_is_left_out() {
    let options = LogSubscriptionOptions::default().with_stream(LogStream::Stderr);
    let mut heard = Vec::new();
    let publisher = |message: LogMessage| {
        heard.push(message);
        future::ready(Ok(()))
    };
    block_on(SharedLogs::new(Chatter).logs(publisher, options)).unwrap();
    assert_eq!(heard, [LogMessage::stderr("err\n").with_attribute("node", "n1")]);
}

#[test]
fn the_error_of_a_publisher_ends_the_reading() {
    let mut published = 0;
    let publisher = |_| {
        published += 1;
        future::ready(Err(ControllerError::new("nobody listens")))
    };
    let error =
        block_on(SharedLogs::new(Chatter).logs(publisher, LogSubscriptionOptions::default()));
    assert_eq!(error.unwrap_err().to_string(), "nobody listens");
    assert_eq!(published, 1);
}

/// Publishes into channels; a closed channel is a closed subscription.
struct Channels(Mutex<Vec<(String, mpsc::Sender<LogMessage>)>>);

struct Channel(mpsc::Sender<LogMessage>);

impl LogPublisher for Channel {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        self.0.send(message).await.map_err(ControllerError::wrap)
    }
}

impl LogPublisherProvider for Channels {
    type Publisher = Channel;

    async fn publisher(&self, subscription_id: &str) -> Result<Channel, ControllerError> {
        let mut open = self.0.lock().unwrap();
        let at = open.iter().position(|(id, _)| id == subscription_id);
        at.map(|at| Channel(open.remove(at).1))
            .ok_or_else(|| ControllerError::new(format!("no subscription {subscription_id}")))
    }
}

#[test]
fn a_provider_gives_a_publisher_that_closes_when_it_is_dropped() {
    let (sender, receiver) = mpsc::channel(8);
    let provider = Channels(Mutex::new(vec![("s1".into(), sender)]));
    block_on(async {
        let unknown = provider.publisher("s2").await.err().unwrap();
        assert_eq!(unknown.to_string(), "no subscription s2");

        let publisher = provider.publisher("s1").await.unwrap();
        let logs = SharedLogs::new(Chatter);
        let mut reading = pin!(logs.logs(publisher, LogSubscriptionOptions::follow()).fuse());
        assert!(poll!(&mut reading).is_pending());
        let mut receiver = pin!(receiver);
        let mut heard = || receiver.next().now_or_never();
        assert_eq!(heard().flatten().unwrap().data, b"out\n");
        assert_eq!(heard().flatten().unwrap().data, b"err\n");
        assert!(heard().is_none(), "it goes on");
    });
}

#[test]
fn a_dropped_reading_closes_its_publisher() {
    let (sender, receiver) = mpsc::channel(8);
    block_on(async {
        let logs = SharedLogs::new(Chatter);
        let reading = logs.logs(Channel(sender), LogSubscriptionOptions::follow());
        assert!(reading.now_or_never().is_none());
        assert_eq!(receiver.count().await, 2, "the channel has ended after the two messages");
    });
}

#[test]
fn options_select_messages() {
    let options = LogSubscriptionOptions::follow()
        .with_tail(3)
        .with_since(UtcDateTime::UNIX_EPOCH)
        .with_stream(LogStream::Stdout);
    assert!(options.follow && options.wants(LogStream::Stdout));
    assert!(!options.wants(LogStream::Stderr));
    assert!(LogSubscriptionOptions::default().wants(LogStream::Stderr));
    assert_eq!((options.tail, options.since), (LogTail::Last(3), Some(UtcDateTime::UNIX_EPOCH)));
    assert_eq!(options.clone().with_skip(2).tail, LogTail::Skip(2));
    let at = |time| LogMessage::stdout("x").at(time);
    assert!(options.accepts(&at(UtcDateTime::UNIX_EPOCH)));
    assert!(!options.accepts(&at(UtcDateTime::UNIX_EPOCH - Duration::NANOSECOND)));
    assert!(options.accepts(&LogMessage::stdout("of an unknown time")));
    assert!(!options.accepts(&LogMessage::stderr("x").at(UtcDateTime::UNIX_EPOCH)));
}

#[test]
fn a_tail_is_a_range_of_the_messages() {
    assert_eq!(LogTail::All.of(3), 0..3);
    assert_eq!(
        [LogTail::Last(0).of(3), LogTail::Last(2).of(3), LogTail::Last(9).of(3)],
        [3..3, 1..3, 0..3]
    );
    assert_eq!(
        [LogTail::Skip(0).of(3), LogTail::Skip(2).of(3), LogTail::Skip(9).of(3)],
        [0..3, 2..3, 3..3]
    );
}
