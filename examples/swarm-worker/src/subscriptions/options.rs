//! Which logs a subscription asks for.

use onward::agent::worker::LogSelector;
use onward::exec::{LogStream, LogSubscriptionOptions};

use crate::status::time_of;
use crate::wire;

/// Reads the options of a subscription.
pub fn options(wanted: &wire::LogSubscriptionOptions) -> LogSubscriptionOptions {
    let mut options = LogSubscriptionOptions::default();
    options.follow = wanted.follow;
    options.since = wanted.since.as_ref().and_then(time_of);
    for stream in &wanted.streams {
        match wire::LogStream::try_from(*stream) {
            Ok(wire::LogStream::Stdout) => options.streams.push(LogStream::Stdout),
            Ok(wire::LogStream::Stderr) => options.streams.push(LogStream::Stderr),
            Ok(wire::LogStream::Unknown) | Err(_) => {}
        }
    }
    match wanted.tail {
        0 => options,
        // -1 is no line, -6 the last five lines.
        last @ ..0 => options.with_tail(last.unsigned_abs() - 1),
        skipped => options.with_skip(skipped.unsigned_abs()),
    }
}

/// Reads the tasks that a subscription asks for. A node's own id selects all tasks.
pub fn selector(selected: &wire::LogSelector, node_id: &str) -> LogSelector {
    let wire::LogSelector { service_ids, node_ids, task_ids } = selected;
    let mut selector = LogSelector::default();
    selector.all = node_ids.iter().any(|id| id == node_id);
    (selector.service_ids, selector.task_ids) = (service_ids.clone(), task_ids.clone());
    selector
}

#[cfg(test)]
mod tests {
    use onward::exec::LogTail;

    use super::*;

    #[test]
    fn tail_is_a_negative_number_that_is_one_less() {
        for (tail, expected) in [
            (0, LogTail::All),
            (-1, LogTail::Last(0)),
            (-6, LogTail::Last(5)),
            (i64::MIN, LogTail::Last(i64::MAX.unsigned_abs())),
            (3, LogTail::Skip(3)),
        ] {
            let wanted = wire::LogSubscriptionOptions { tail, ..Default::default() };
            assert_eq!(options(&wanted).tail, expected, "{tail}");
        }
    }

    #[test]
    fn a_node_selects_its_tasks_by_its_own_id_only() {
        let selected = |id: &str| wire::LogSelector {
            node_ids: vec![id.to_owned()],
            ..wire::LogSelector::default()
        };
        assert!(selector(&selected("me"), "me").all);
        assert!(!selector(&selected("other"), "me").all);
    }
}
