//! The status page of a running agent in a browser: it is opened, used by mouse and by keyboard,
//! attacked, and held against axe-core.

use browser::{Agent, Page};
use serde_json::{Value, json};

/// Opens a page or returns from the test, which is then reported as skipped.
macro_rules! open {
    ($test:literal, $url:expr) => {
        match Page::open($test, $url).await {
            Some(page) => page,
            None => return,
        }
    };
}

mod status_page {
    use super::{open_task, row, task, until_live};

    mod access;
    mod demo;
    mod many;
    mod security;
    mod task;
}

/// A task that runs a script in a shell.
fn task(name: &str, script: &str) -> String {
    format!("[[task]]\nname = '{name}'\ncommand = ['sh', '-c', \"\"\"{script}\"\"\"]\n")
}

/// Waits until the page shows the agent.
async fn until_live(page: &Page) {
    page.wait_until(
        "document.querySelector('#connection').dataset.state === 'live'",
        "the page is live",
    )
    .await;
}

/// Waits until a condition on the text of a task's row, `text`, is true.
async fn row(page: &Page, name: &str, condition: &str) {
    let condition = format!(
        "[...document.querySelectorAll('#table .rows .row')].map((row) => row.innerText)
            .filter((text) => text.split('\\n')[0] === {name:?}).some((text) => {condition})"
    );
    page.wait_until(&condition, &format!("the row of {name}")).await;
}

/// Opens a task with a click on its row.
async fn open_task(page: &Page, name: &str) {
    page.click(&format!("#table a[href='#/{name}']")).await;
    page.wait_until("document.querySelector('#task .facts div')", "the task is read").await;
    assert_eq!(page.text("#task-heading").await, name);
}

/// The names in the rows, as the page shows them.
async fn names(page: &Page) -> Vec<String> {
    page.texts("#table .rows .name").await
}

#[tokio::test]
async fn tasks_are_filtered_and_sorted() {
    let tasks = ["fails", "fine", "runs"].map(|name| {
        let end = if name == "runs" { "sleep 1000" } else { "true" };
        let end = if name == "fails" { "echo no >&2; exit 7" } else { end };
        task(name, end)
    });
    let agent = Agent::start(&tasks.concat());
    let page = open!("tasks_are_filtered_and_sorted", &agent.url());
    until_live(&page).await;
    row(&page, "runs", "text.includes('running')").await;
    row(&page, "fails", "text.includes('failed 7') && text.includes('exited with code 7')").await;
    row(&page, "fine", "text.includes('complete')").await;
    assert_eq!(names(&page).await, ["fails", "fine", "runs"]);

    page.fill("#filter", "CODE 7").await;
    page.wait_until("document.querySelectorAll('#table .rows .row').length === 1", "the filter")
        .await;
    assert_eq!(names(&page).await, ["fails"]);
    assert_eq!(page.text("#shown").await, "1 of 3 tasks");
    page.fill("#filter", "nothing has this").await;
    page.wait_until(
        "document.querySelector('#table .empty')?.innerText === 'No task matches the filter.'",
        "no task",
    )
    .await;
    page.fill("#filter", "").await;

    // A state is selected in the diagram or by its chip.
    page.click("#diagram [data-state=running]").await;
    page.wait_until("document.querySelectorAll('#table .rows .row').length === 1", "the state")
        .await;
    assert_eq!(names(&page).await, ["runs"]);
    page.click("#chips .chip.complete").await;
    page.wait_until("document.querySelectorAll('#table .rows .row').length === 2", "both states")
        .await;
    for chip in ["running", "complete"] {
        page.click(&format!("#chips .chip.{chip}")).await;
    }

    for (column, expected) in [
        ("name", ["runs", "fine", "fails"]),
        ("state", ["runs", "fine", "fails"]),
        ("error", ["fails", "fine", "runs"]),
    ] {
        page.click(&format!("#table .head .{column} button")).await;
        let found = format!(
            "JSON.stringify([...document.querySelectorAll('#table .rows .name')].map((name) => name.innerText)) === {:?}",
            json!(expected).to_string()
        );
        page.wait_until(&found, column).await;
    }
    assert_eq!(
        page.attribute("#table .head .error", "aria-sort").await.as_deref(),
        Some("ascending")
    );
}

#[tokio::test]
async fn a_page_reconnects_to_an_agent_that_was_killed_and_came_back() {
    let mut agent = Agent::start(&task("web", "sleep 1000"));
    let page = open!("a_page_reconnects_to_an_agent_that_was_killed_and_came_back", &agent.url());
    until_live(&page).await;
    row(&page, "web", "text.includes('running')").await;
    open_task(&page, "web").await;
    page.run("window.isSamePage = true").await;
    let pid = "[...document.querySelectorAll('#task .facts div')].find((fact) => fact.innerText.startsWith('pid'))?.innerText";
    page.wait_until(pid, "the process id").await;
    let before = page.run(&format!("return {pid}")).await;
    agent.kill();
    page.wait_until(
        "document.querySelector('#connection').dataset.state === 'lost'",
        "the page notices",
    )
    .await;
    // What was known stays.
    row(&page, "web", "text.includes('running')").await;
    agent.start_again();
    until_live(&page).await;
    assert_eq!(page.run("return isSamePage").await, json!(true));
    page.wait_until(
        "!document.querySelector('#task > .wrong:not([hidden])')",
        "the task is read again",
    )
    .await;
    assert_eq!(page.run(&format!("return {pid}")).await, before);
    agent.save(&[task("web", "sleep 1000"), task("new", "sleep 1000")].concat());
    row(&page, "new", "text.includes('running')").await;
}

#[tokio::test]
async fn a_notice_is_shown_until_its_cause_is_gone() {
    let agent = Agent::start(&task("web", "sleep 1000"));
    let page = open!("a_notice_is_shown_until_its_cause_is_gone", &agent.url());
    until_live(&page).await;
    row(&page, "web", "text.includes('running')").await;
    assert_eq!(page.attribute("#notices", "hidden").await.as_deref(), Some("true"));
    agent.save("[[task]]\nname = 'web'\ncomand = ['x']\n");
    page.wait_until(
        "document.querySelector('#notice-list').innerText.includes('comand')",
        "the file is refused",
    )
    .await;
    // A running process cannot take another command.
    agent.save(&task("web", "sleep 2000"));
    page.wait_until("document.querySelector('#notice-list').innerText.startsWith('web: its change was refused')", "the change is refused").await;
    page.click("#notice-list a").await;
    page.wait_until(
        "document.querySelector('#task .timeline .mark.refusal')",
        "the mark of the refusal",
    )
    .await;
    agent.save(&task("web", "sleep 1000"));
    page.wait_until("document.querySelector('#notices').hidden", "the notice is gone").await;
}

/// The values of a list in the page.
fn list(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}
