//! Two thousand tasks: only what is seen is drawn.

use super::until_live;
use browser::{Agent, Page};
use serde_json::json;
use thirtyfour::Key;

#[tokio::test]
async fn of_two_thousand_tasks_only_those_that_are_seen_are_drawn() {
    let task = |index| {
        format!("[[task]]\nname = 'task-{index:04}'\ncommand = ['true']\ndesired = 'ready'\n")
    };
    let agent = Agent::start(&(0..2000).map(task).collect::<String>());
    let page = open!("of_two_thousand_tasks_only_those_that_are_seen_are_drawn", &agent.url());
    until_live(&page).await;
    page.wait_until(
        "document.querySelector('#diagram [data-state=ready]').textContent === 'ready 2,000'",
        "all are ready",
    )
    .await;
    assert_eq!(page.text("#shown").await, "2,000 tasks");
    assert_eq!(
        page.attribute("#table [role=table]", "aria-rowcount").await.as_deref(),
        Some("2001")
    );
    let last =
        "document.querySelector('#table .rows .row:last-child')?.innerText.includes('task-1999')";
    let drawn = "return document.querySelectorAll('#table .rows .row').length";
    assert!(page.run(drawn).await.as_u64().unwrap() < 60);
    page.run("const table = document.querySelector('#table .table'); table.scrollTop = table.scrollHeight").await;
    page.wait_until(last, "the last row").await;
    assert!(page.run(drawn).await.as_u64().unwrap() < 60);
    // With keys, from the first to the last.
    page.run("document.querySelector('#table .table').scrollTop = 0").await;
    page.wait_until("document.querySelector('#table a[href=\"#/task-0000\"]')", "the first row")
        .await;
    page.run("document.querySelector('#table a[href=\"#/task-0000\"]').focus()").await;
    page.press(Key::End).await;
    page.wait_until(
        "document.activeElement.innerText === 'task-1999'",
        "the focus is on the last row",
    )
    .await;
    page.press(Key::Up).await;
    page.wait_until(
        "document.activeElement.innerText === 'task-1998'",
        "the focus is on the row above",
    )
    .await;
    page.fill("#filter", "task-0777").await;
    page.wait_until("document.querySelectorAll('#table .rows .row').length === 1", "the filter")
        .await;
    assert_eq!(page.complaints().await, [""; 0]);
    assert_eq!(
        page.run(
            "return document.querySelector('#table .rows .row').getAttribute('aria-rowindex')"
        )
        .await,
        json!("2")
    );
}
