//! Position in a log, so that no message is published twice.

use std::collections::VecDeque;
use std::pin::pin;

use futures::{Stream, StreamExt};
use onward::exec::{ControllerError, LogMessage, LogSubscriptionOptions};
use time::UtcDateTime;

/// How far a log was read.
///
/// The engine can begin to read at a second, and no finer. So the position has the time of the
/// last message, and how many messages were read that have this time.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    last: Option<(UtcDateTime, usize)>,
    /// How many of the messages that are wanted are still to be skipped.
    skip: u64,
}

impl Position {
    /// Behind the first so many messages that are wanted.
    pub(super) fn after(messages: u64) -> Self {
        Self { last: None, skip: messages }
    }

    /// The time of the last message that was read.
    pub(super) fn time(&self) -> Option<UtcDateTime> {
        self.last.map(|(time, _)| time)
    }

    /// Moves behind the message. Whether it is to be published.
    pub(super) fn takes(&mut self, message: &LogMessage, options: &LogSubscriptionOptions) -> bool {
        self.read(message);
        let is_wanted = options.accepts(message);
        let is_skipped = is_wanted && self.skip > 0;
        self.skip -= u64::from(is_skipped);
        is_wanted && !is_skipped
    }

    fn read(&mut self, message: &LogMessage) {
        let Some(time) = message.timestamp else { return };
        self.last = match self.last {
            Some((last, count)) if last == time => Some((last, count + 1)),
            // Two streams may be written a little out of order.
            Some((last, count)) if last > time => Some((last, count)),
            Some(_) | None => Some((time, 1)),
        };
    }

    /// The messages up to here, which the engine sends again.
    pub(super) fn replay(&self) -> Replay {
        Replay(self.last)
    }
}

/// The messages that are sent again.
#[derive(Clone, Debug)]
pub(super) struct Replay(Option<(UtcDateTime, usize)>);

impl Replay {
    /// Whether the message was read before.
    pub(super) fn is_known(&mut self, message: &LogMessage) -> bool {
        let (Some((last, count)), Some(time)) = (&mut self.0, message.timestamp) else {
            return false;
        };
        if time < *last {
            return true;
        }
        if time == *last && *count > 0 {
            *count -= 1;
            return true;
        }
        self.0 = None;
        false
    }
}

/// The position before the last `messages` of those that are wanted.
///
/// The engine can count too, but it counts those that are not wanted as well.
pub(super) async fn tail(
    there: impl Stream<Item = Result<LogMessage, ControllerError>>,
    options: &LogSubscriptionOptions,
    messages: u64,
) -> Result<Position, ControllerError> {
    let size = usize::try_from(messages).unwrap_or(usize::MAX);
    let mut position = Position::default();
    // The positions before each of the last messages.
    let mut before = VecDeque::new();
    let mut there = pin!(there);
    while let Some(message) = there.next().await {
        let message = message?;
        let here = position.clone();
        if position.takes(&message, options) && size > 0 {
            if before.len() == size {
                before.pop_front();
            }
            before.push_back(here);
        }
    }
    Ok(before.pop_front().unwrap_or(position))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use futures::FutureExt;
    use futures::stream;

    use super::*;

    fn messages(times: &[i64]) -> Vec<LogMessage> {
        let messages = times.iter().enumerate().map(|(index, time)| {
            let time = UtcDateTime::from_unix_timestamp(*time).unwrap();
            LogMessage::stdout(index.to_string()).at(time)
        });
        messages.collect()
    }

    /// Publishes new messages, and returns their texts.
    fn read(position: &mut Position, log: &[LogMessage]) -> Vec<String> {
        let options = LogSubscriptionOptions::default();
        let mut replay = position.replay();
        let new = log
            .iter()
            .filter(|message| !replay.is_known(message) && position.takes(message, &options));
        new.map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect()
    }

    #[test]
    fn a_log_that_is_read_again_is_published_once() {
        let log = messages(&[1, 1, 2, 2, 2, 3]);
        for cut in 0..=log.len() {
            let mut position = Position::default();
            let (begin, _) = log.split_at(cut);
            let mut published = read(&mut position, begin);
            published.extend(read(&mut position, &log));
            assert_eq!(published, ["0", "1", "2", "3", "4", "5"], "cut at {cut}");
        }
    }

    #[test]
    fn the_first_messages_are_skipped_once() {
        let log = messages(&[1, 2, 3, 4]);
        let mut position = Position::after(2);
        let (begin, _) = log.split_at(3);
        assert_eq!(read(&mut position, begin), ["2"]);
        assert_eq!(read(&mut position, &log), ["3"]);
    }

    #[test]
    fn the_tail_begins_before_the_last_messages_and_after_none() {
        let log = messages(&[1, 1, 1, 2]);
        for (size, expected) in
            [(0, &[][..]), (1, &["3"]), (2, &["2", "3"]), (9, &["0", "1", "2", "3"])]
        {
            let there = stream::iter(log.clone().into_iter().map(Ok));
            let options = LogSubscriptionOptions::default();
            let found = tail(there, &options, size).now_or_never().unwrap();
            assert_eq!(read(&mut found.unwrap(), &log), expected, "{size}");
        }
    }
}
