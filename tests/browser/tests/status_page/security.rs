//! Attacks: markup in texts of tasks, other names of the host, other sites, a missing token.

use super::{open_task, row, task, until_live};
use browser::{Agent, Page};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

const MARKUP: &str = "<img src=x onerror=attack()><script>attack()</script>";

#[tokio::test]
async fn markup_in_an_error_and_a_log_is_shown_and_not_obeyed() {
    let script = format!("echo '{MARKUP}'; printf '\\\\033[31mred\\\\033[0m\\\\n'; sleep 1000");
    let refused = format!("prepare = ['sh', '-c', \"\"\"echo '{MARKUP}' >&2; exit 1\"\"\"]\n");
    let agent = Agent::start(&[task("says", &script), task("fails", "true"), refused].concat());
    let page = open!("markup_in_an_error_and_a_log_is_shown_and_not_obeyed", &agent.url());
    page.run("window.attack = () => { window.isAttacked = true; }").await;
    until_live(&page).await;
    row(&page, "fails", &format!("text.includes({MARKUP:?})")).await;
    row(&page, "says", "text.includes('running')").await;
    open_task(&page, "says").await;
    page.wait_until("document.querySelectorAll('#task .line').length === 2", "the log").await;
    assert_eq!(page.texts("#task .line .text").await, [MARKUP, "red"]);
    open_task(&page, "fails").await;
    page.wait_until(
        &format!("document.querySelector('#task > .wrong').innerText.includes({MARKUP:?})"),
        "the error",
    )
    .await;
    assert_unharmed(&page).await;
}

/// The task file allows no such name. The tasks of a manager may have one.
#[tokio::test]
async fn markup_in_a_name_is_shown_and_not_obeyed() {
    let agent = Agent::start("task = []");
    let page = open!("markup_in_a_name_is_shown_and_not_obeyed", &agent.url());
    page.run("window.attack = () => { window.isAttacked = true; }").await;
    until_live(&page).await;
    let script = format!(
        "const [{{ Agent }}, {{ Table }}, {{ Task }}, {{ showNotices }}] = await Promise.all(['agent', 'table', 'task', 'notices'].map((name) => import(`/page/${{name}}.js`)));
        const task = {{ ID: {MARKUP:?}, Name: {MARKUP:?}, Since: new Date().toISOString(), Note: {MARKUP:?}, Status: {{ State: 'running', Message: {MARKUP:?} }} }};
        const agent = new Agent();
        agent.tasks.set(task.ID, task);
        agent.notices = [{MARKUP:?}];
        new Table(document.querySelector('#table'), agent, () => {{}}).update();
        new Task(document.querySelector('#task'), agent, task.ID, () => {{}});
        document.querySelector('#task').hidden = false;
        showNotices(agent);"
    );
    assert_eq!(page.run_async(&script).await, json!(null));
    page.wait_until(
        &format!("document.querySelector('#table .rows .name')?.innerText === {MARKUP:?}"),
        "the name",
    )
    .await;
    assert_eq!(page.text("#task-heading").await, MARKUP);
    assert_eq!(page.text("#notice-list").await, format!("{MARKUP}\n{MARKUP}: {MARKUP}"));
    assert_unharmed(&page).await;
}

async fn assert_unharmed(page: &Page) {
    assert_eq!(page.run("return window.isAttacked ?? false").await, json!(false));
    let elements =
        page.run("return document.querySelectorAll('main img, main script').length").await;
    assert_eq!(elements, json!(0));
}

#[tokio::test]
async fn a_name_that_was_made_to_resolve_to_the_agent_is_refused() {
    let agent = Agent::start(&task("web", "sleep 1000"));
    let url = format!("http://evil.example:{}/", agent.port());
    let page = open!("a_name_that_was_made_to_resolve_to_the_agent_is_refused", &url);
    let text = page.text("body").await;
    assert!(text.starts_with("refused: this agent answers only to localhost"), "{text}");
    page.go(&format!("{url}api/tasks")).await;
    let text = page.text("body").await;
    assert!(text.starts_with("refused: this agent answers only to localhost"), "{text}");
    page.go(&format!("http://localhost:{}/", agent.port())).await;
    until_live(&page).await;
}

/// Serves an empty page at a port of its own. Returns the port.
fn other_site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            _ = client.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
            _ = client.write_all(format!("{head}<title>other</title><body>").as_bytes());
        }
    });
    port
}

#[tokio::test]
async fn a_page_of_another_site_cannot_read_the_agent() {
    let agent = Agent::start(&task("web", "sleep 1000"));
    let other = format!("http://evil.example:{}/", other_site());
    let page = open!("a_page_of_another_site_cannot_read_the_agent", &other);
    let script = format!("return await (await fetch('{}api/tasks')).text()", agent.url());
    assert_eq!(page.run_async(&script).await, "TypeError: Failed to fetch");
    let complaints = page.complaints().await;
    assert!(complaints.iter().any(|each| each.contains("CORS")), "{complaints:?}");
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = '{}';
        const loaded = new Promise((done) => frame.onload = done);
        document.body.append(frame); await loaded;",
        agent.url()
    );
    page.run_async(&frame).await;
    let complaints = page.complaints().await;
    assert!(complaints.iter().any(|each| each.contains("frame-ancestors")), "{complaints:?}");
}

#[tokio::test]
async fn no_request_leaves_the_agent() {
    let agent = Agent::start(&task("web", "echo hello; sleep 1000"));
    let page = open!("no_request_leaves_the_agent", &agent.url());
    until_live(&page).await;
    row(&page, "web", "text.includes('running')").await;
    open_task(&page, "web").await;
    page.wait_until("document.querySelector('#task .line')", "the log").await;
    let asked =
        page.run("return performance.getEntriesByType('resource').map(({ name }) => name)").await;
    let asked: Vec<_> = super::super::list(&asked);
    assert!(asked.len() > 10, "{asked:?}");
    for address in asked {
        assert!(address.starts_with(&agent.url()), "{address}");
    }
    assert_eq!(page.complaints().await, [""; 0]);
    // It could not either.
    page.run("fetch('http://127.0.0.1:9/').catch(() => { document.title = 'forbidden'; })").await;
    page.wait_until("document.title === 'forbidden'", "the page may not fetch").await;
    let complaints = page.complaints().await;
    assert!(
        complaints.iter().any(|each| each.contains("Content Security Policy")),
        "{complaints:?}"
    );
}

#[tokio::test]
async fn a_token_is_asked_for_and_kept_until_the_tab_is_closed() {
    let token = "0123456789abcdef";
    let agent = Agent::start_open(&task("web", "echo hello; sleep 1000"), token);
    let page = open!("a_token_is_asked_for_and_kept_until_the_tab_is_closed", &agent.url());
    page.wait_until("!document.querySelector('#sign-in').hidden", "the form").await;
    assert_eq!(page.attribute("#main", "hidden").await.as_deref(), Some("true"));
    page.fill("#token", "another-token-0000").await;
    page.click("#sign-in button").await;
    page.wait_until(
        "document.querySelector('#denied').innerText === 'The agent has another token.'",
        "a wrong token",
    )
    .await;
    page.fill("#token", token).await;
    page.click("#sign-in button").await;
    until_live(&page).await;
    row(&page, "web", "text.includes('running')").await;
    open_task(&page, "web").await;
    page.wait_until(
        "document.querySelector('#task .line .text')?.innerText === 'hello'",
        "the log",
    )
    .await;
    assert_eq!(page.run("return [document.cookie, localStorage.length]").await, json!(["", 0]));
    page.go(&agent.url()).await;
    until_live(&page).await;
}
