//! The whole page: keyboard, colors, widths and accessibility.

use super::{open_task, row, task, until_live};
use browser::{Agent, Page};
use serde_json::json;
use thirtyfour::Key;

/// Tasks in several states, with a notice, a retry, a port and a log of both streams.
fn tasks() -> String {
    let busy = "prepare = ['sh', '-c', \"echo 'registry is busy' >&2; exit 75\"]\npolicy = { retry_initial = '1h' }\n";
    let ports = "ports = [{ name = 'http', published = 8080 }, { name = 'dns', protocol = 'udp', target = 5353, published = 53 }]\n";
    let log = "for i in 1 2 3 4 5 6; do echo GET /item/$i 200; echo warning: slow answer $i >&2; done; sleep 1000";
    [
        task("api", log) + ports + "env = { MODE = 'fast' }\n",
        task("backup", "exit 0"),
        task("cache", "sleep 1000"),
        task("import", "true") + busy,
        task("migrate", "echo 'no such table' >&2; exit 3"),
        task("mail", "true") + "desired = 'ready'\n",
        task("report", "true") + "desired = 'shutdown'\n",
        "[[task]]\nname = 'typo'\ncommand = ['no-such-program']\n".to_owned(),
    ]
    .concat()
}

#[tokio::test]
async fn in_light_and_dark_and_on_narrow_screens_the_page_violates_no_rule_of_axe() {
    let test = "in_light_and_dark_and_on_narrow_screens_the_page_violates_no_rule_of_axe";
    let agent = Agent::start(&tasks());
    let page = open!(
        "in_light_and_dark_and_on_narrow_screens_the_page_violates_no_rule_of_axe",
        &agent.url()
    );
    until_live(&page).await;
    row(&page, "api", "text.includes('running') && text.includes('http 8080, dns 53→5353/udp')")
        .await;
    row(&page, "migrate", "text.includes('failed 3')").await;
    row(&page, "import", "text.includes('registry is busy')").await;
    agent.save(
        &tasks()
            .replace("'sleep 1000'", "'sleep 2000'")
            .replace("\"\"\"sleep 1000", "\"\"\"sleep 2000"),
    );
    page.wait_until("!document.querySelector('#notices').hidden", "a notice").await;
    for part in ["tasks", "task"] {
        for (scheme, width) in [("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)] {
            page.set_color_scheme(scheme).await;
            page.set_width(width).await;
            if part == "task" {
                page.go(&(agent.url() + "#/api")).await;
                page.wait_until("document.querySelectorAll('#task .line').length > 9 && document.querySelector('#task .span.running')", "the task").await;
            }
            // Wide parts scroll in boxes of their own.
            let overflow = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
            assert_eq!(overflow, json!(0), "{part} {scheme} {width}");
            page.picture(&format!("status-{part}-{scheme}-{width}")).await;
            check(&page, test, &format!("{part} {scheme} {width}")).await;
        }
    }
    let agent = Agent::start_open("task = []", "0123456789abcdef");
    page.go(&agent.url()).await;
    page.wait_until("!document.querySelector('#sign-in').hidden", "the form").await;
    page.picture("status-sign-in").await;
    check(&page, test, "the form").await;
}

async fn check(page: &Page, test: &str, part: &str) {
    if let Some(violations) = page.violations(test).await {
        assert_eq!(violations, [""; 0], "{part}");
    }
}

#[tokio::test]
async fn the_keyboard_alone_filters_opens_and_closes_a_task() {
    let agent = Agent::start(&[task("one", "sleep 1000"), task("two", "exit 0")].concat());
    let page = open!("the_keyboard_alone_filters_opens_and_closes_a_task", &agent.url());
    until_live(&page).await;
    row(&page, "one", "text.includes('running')").await;
    row(&page, "two", "text.includes('complete')").await;
    let focused = "return document.activeElement.id || document.activeElement.dataset.state || document.activeElement.textContent";
    page.press(Key::Tab).await;
    assert_eq!(page.run(focused).await, json!("Skip to the tasks"));
    // The states, in the order of a life.
    page.press(Key::Tab).await;
    assert_eq!(page.run(focused).await, json!("new"));
    page.run("document.querySelector('#diagram [data-state=complete]').focus()").await;
    page.press(Key::Enter).await;
    page.wait_until(
        "document.querySelectorAll('#table .rows .row').length === 1",
        "the state is selected",
    )
    .await;
    assert_eq!(
        page.attribute("#diagram [data-state=complete]", "aria-pressed").await.as_deref(),
        Some("true")
    );
    page.press(Key::Space).await;
    page.wait_until(
        "document.querySelectorAll('#table .rows .row').length === 2",
        "all states again",
    )
    .await;
    page.press('/').await;
    assert_eq!(page.run(focused).await, json!("filter"));
    // The chips, the headers of seven columns, and the first row.
    for _ in 0..2 + 7 + 1 {
        page.press(Key::Tab).await;
    }
    assert_eq!(page.run(focused).await, json!("one"));
    page.press(Key::Down).await;
    assert_eq!(page.run(focused).await, json!("two"));
    page.press(Key::Enter).await;
    page.wait_until("document.activeElement.id === 'task-heading'", "the task is open").await;
    assert_eq!(page.text("#task-heading").await, "two");
    page.press(Key::Escape).await;
    page.wait_until("document.querySelector('#task').hidden", "the task is closed").await;
    assert_eq!(page.run(focused).await, json!("two"));
    _ = open_task;
}
