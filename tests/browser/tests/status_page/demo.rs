//! The demo: each task is seen in its states, and its timeline has all of them.

use super::super::list;
use super::{open_task, until_live};
use browser::{Agent, Page};
use serde_json::Value;

const DEMO: &str = include_str!("../../../../examples/process-agent/demo.toml");

/// For each task: states in which the table shows it, as each lasts a while, and how it ends.
const LIVES: [(&str, &[&str]); 10] = [
    ("job", &["running", "complete"]),
    ("exits-3", &["running", "failed 3"]),
    ("crashes", &["running", "failed 139"]),
    ("missing", &["rejected"]),
    ("service", &["starting", "running", "shutdown 143"]),
    ("never-up", &["starting", "failed 143"]),
    ("stubborn", &["running", "shutdown 137"]),
    ("flaky", &["preparing", "running", "complete"]),
    ("stuck", &["preparing", "rejected"]),
    ("leaver", &["running", "complete"]),
];

/// Notes each state of each row that is shown.
const RECORD: &str = "
    window.seen = {};
    setInterval(() => {
        for (const row of document.querySelectorAll('#table .rows .row')) {
            const [name, state] = ['.name', '.state'].map((cell) => row.querySelector(cell).innerText.trim());
            const states = (window.seen[name] ??= []);
            if (states.at(-1) !== state) states.push(state);
        }
    }, 20);";

#[tokio::test]
async fn each_task_of_the_demo_is_seen_going_through_its_states() {
    let agent = Agent::start("task = []");
    let page = open!("each_task_of_the_demo_is_seen_going_through_its_states", &agent.url());
    until_live(&page).await;
    assert_eq!(page.text("#table .empty").await, "There are no tasks.");
    page.run(RECORD).await;
    agent.save(DEMO);
    let ended = "document.querySelectorAll('#table .rows .row').length === 10
        && [...document.querySelectorAll('#table .rows .state')].every((cell) => /complete|failed|rejected|shutdown/.test(cell.innerText))";
    // A retry and a port are shown while they last.
    super::row(&page, "flaky", "/in \\d/.test(text) && text.includes('registry is busy')").await;
    super::row(&page, "service", "text.includes('http 8080')").await;
    page.wait_until(ended, "all tasks have ended").await;
    let seen = page.run("return window.seen").await;
    for (name, expected) in LIVES {
        let states = list(&seen[name]);
        let mut rest = states.iter();
        let is_in_order = expected.iter().all(|state| rest.any(|seen| seen == state));
        assert!(is_in_order, "{name}: {expected:?} are not in {states:?}");
    }
    let edges = page.texts("#edges li").await;
    assert!(edges.contains(&"10 tasks from assigned to accepted".to_owned()), "{edges:?}");
    assert_eq!(
        page.run("return document.querySelector('#diagram [data-state=complete]').textContent")
            .await,
        "complete 3"
    );
    timelines(&page).await;
}

/// Looks at the timelines of some tasks.
async fn timelines(page: &Page) {
    let bars = |kind: &str| {
        format!(
            "return [...document.querySelectorAll('#task .timeline .span.{kind} title')].map((title) => title.textContent)"
        )
    };
    let whole = ["assigned", "accepted", "preparing", "ready", "starting", "running", "complete"];
    open_task(page, "flaky").await;
    for state in whole {
        let found = page.run(&bars(state)).await;
        assert!(list(&found)[0].starts_with(&format!("{state} for ")), "{state}: {found}");
    }
    let operations: Value = page.run(&bars("operation")).await;
    let starts = |at: usize, text: &str| list(&operations)[at].starts_with(text);
    assert!(starts(1, "prepare, attempt 1: temporary after "), "{operations}");
    assert!(starts(2, "prepare, attempt 2: temporary after "), "{operations}");
    assert!(starts(3, "prepare, attempt 3: ok after "), "{operations}");
    assert_eq!(
        page.run("return document.querySelectorAll('#task .timeline .delay').length").await,
        2
    );
    page.click("#task details summary").await;
    let events = page.text("#task .events").await;
    assert!(events.contains("registry is busy") && events.contains("state complete"), "{events}");
    // The deadline of its preparation.
    open_task(page, "stuck").await;
    page.wait_until("document.querySelector('#task .timeline .mark.deadline title')?.textContent === 'deadline passed: prepare'", "the mark of the deadline").await;
    page.click("#task .close").await;
    page.wait_until("document.querySelector('#task').hidden", "the task is closed").await;
}
