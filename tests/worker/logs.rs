//! Logs of several tasks.

use super::agent::{Agent, task};
use super::world::{Script, Trouble};
use futures::FutureExt;
use futures::future::ready;
use onward::agent::worker::LogSelector;
use onward::agent::{AssignedTask, Runtime};
use onward::exec::{Assignment, LogMessage, LogSubscriptionOptions};
use std::sync::{Arc, Mutex};

fn of_service(id: &str) -> AssignedTask<Script> {
    Assignment::new(id, Script::service()).with_service_id("s").into()
}

/// The logs within this many milliseconds, and whether they have ended.
fn heard(
    agent: &Agent,
    selector: &LogSelector,
    options: &LogSubscriptionOptions,
    meanwhile: impl FnOnce(),
) -> (Vec<String>, Option<Vec<String>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&heard);
    let open = move |id: &str| {
        let (heard, id) = (Arc::clone(&to), id.to_owned());
        move |message: LogMessage| {
            let text = String::from_utf8(message.data).unwrap();
            heard.lock().unwrap().push(format!("{id}: {text}"));
            ready(Ok(()))
        }
    };
    let (handle, selector, options) = (agent.handle.clone(), selector.clone(), options.clone());
    // In a future of its own, so that it is polled only when it was woken.
    let (logs, read) = async move { handle.logs(&selector, &options, open).await }.remote_handle();
    agent.pool.spawn(Box::pin(logs)).unwrap();
    agent.run(100);
    meanwhile();
    agent.run(100);
    let failed = read.now_or_never();
    agent.run(10);
    let mut heard = heard.lock().unwrap().clone();
    heard.sort();
    heard.dedup();
    (
        heard,
        failed
            .map(|failed| failed.into_iter().map(|(id, error)| format!("{id}: {error}")).collect()),
    )
}

fn agent() -> Agent {
    let agent = Agent::new();
    agent.assign(vec![of_service("s.1"), of_service("s.2"), task("t", Script::service())]);
    agent.run(100);
    agent
}

#[test]
fn logs_are_selected_by_task_and_by_service() {
    let agent = agent();
    let once = LogSubscriptionOptions::default;
    let (said, failed) = heard(&agent, &LogSelector::task("t"), &once(), || {});
    assert_eq!((said, failed), (vec!["t: t".into()], Some(vec![])));
    let (said, failed) = heard(&agent, &LogSelector::service("s"), &once(), || {});
    assert_eq!((said, failed), (vec!["s.1: s.1".into(), "s.2: s.2".into()], Some(vec![])));
    let both = LogSelector::service("s").or_task("t").or_service("none").or_task("s.1");
    let (said, _) = heard(&agent, &both, &once(), || {});
    assert_eq!(said, ["s.1: s.1", "s.2: s.2", "t: t"]);
    let (said, failed) = heard(&agent, &LogSelector::default(), &once(), || {});
    assert_eq!((said, failed), (vec![], Some(vec![])));
}

#[test]
fn a_follower_gets_the_logs_of_later_tasks_and_the_end() {
    let agent = agent();
    let follow = LogSubscriptionOptions::follow;
    let (said, failed) = heard(&agent, &LogSelector::service("s"), &follow(), || {
        agent.assign(vec![of_service("s.1"), of_service("s.3")]);
    });
    assert_eq!(said, ["s.1: s.1", "s.2: s.2", "s.3: s.3"]);
    assert_eq!(failed, None);
    let (said, failed) = heard(&agent, &LogSelector::task("s.3"), &follow(), || {
        agent.handle.close();
    });
    assert_eq!((said, failed), (vec!["s.3: s.3".into()], Some(vec![])));
}

#[test]
fn a_log_that_cannot_be_read_is_named_and_the_others_are_read() {
    let agent = agent();
    agent.world.lock().trouble = Some(Trouble::LogsFail);
    let (said, failed) =
        heard(&agent, &LogSelector::task("t"), &LogSubscriptionOptions::default(), || {});
    assert_eq!((said, failed), (vec![], Some(vec!["t: no log".into()])));
}

#[test]
fn a_follower_keeps_nothing_of_a_removed_task() {
    let agent = agent();
    let assignment = Arc::new(Assignment::new("brief", Script::service()));
    let kept = Arc::downgrade(&assignment);
    let open = |_: &str| |_: LogMessage| ready(Ok(()));
    let selector = LogSelector::task("brief");
    let handle = agent.handle.clone();
    let follow =
        async move { handle.logs(&selector, &LogSubscriptionOptions::follow(), open).await };
    let (follow, mut followed) = follow.remote_handle();
    agent.pool.spawn(Box::pin(follow)).unwrap();
    agent.assign(vec![assignment.into()]);
    agent.run(100);
    assert!(kept.upgrade().is_some());
    agent.assign(Vec::new());
    agent.run(1_000);
    assert!((&mut followed).now_or_never().is_none(), "it follows until the close");
    // Its record and its controller are gone.
    assert!(kept.upgrade().is_none());
    agent.check();
}
