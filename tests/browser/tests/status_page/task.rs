//! One task: its log and its definition.

use super::{open_task, row, task, until_live};
use browser::{Agent, Page};
use serde_json::json;

#[tokio::test]
async fn a_log_is_followed_searched_and_split_by_stream() {
    let script = "for i in 1 2 3; do echo line $i; done; echo oops >&2
        while ! test -e $TEST_HOME/go; do sleep 0.05; done
        printf 'a part '; sleep 2; echo and the rest; sleep 1000";
    let agent = Agent::start(&task("talker", script));
    let page = open!("a_log_is_followed_searched_and_split_by_stream", &agent.url());
    until_live(&page).await;
    row(&page, "talker", "text.includes('running')").await;
    open_task(&page, "talker").await;
    let lines =
        |number: usize| format!("document.querySelectorAll('#task .line').length === {number}");
    page.wait_until(&lines(4), "the lines until now").await;
    std::fs::write(agent.path("go"), "").unwrap();
    page.wait_until(
        "document.querySelector('#task .line:last-child .text').innerText === 'a part '",
        "a line without its end",
    )
    .await;
    page.wait_until("document.querySelector('#task .line:last-child .text').innerText === 'a part and the rest'", "the whole line").await;
    assert_eq!(page.text("#task .log [role=status]").await, "5 lines, following");
    page.fill("#task .log select", "stderr").await;
    page.wait_until(&lines(1), "the lines of one stream").await;
    assert_eq!(page.text("#task .line .text").await, "oops");
    page.fill("#task .log select", "").await;
    page.fill("#task .log input[type=search]", "LINE 2").await;
    page.wait_until(
        "document.querySelector('#task .line mark')?.innerText === 'line 2'",
        "the found text",
    )
    .await;
    assert_eq!(page.text("#task .log [role=status]").await, "1 of 5 lines, following");
}

#[tokio::test]
async fn a_log_of_many_lines_is_drawn_only_where_it_is_seen() {
    let script = "i=0; while test $i -lt 5000; do i=$((i + 1)); echo line $i of a longer text; done; sleep 1000";
    let agent = Agent::start(&task("talker", script));
    let page = open!("a_log_of_many_lines_is_drawn_only_where_it_is_seen", &agent.url());
    until_live(&page).await;
    row(&page, "talker", "text.includes('running')").await;
    open_task(&page, "talker").await;
    // It follows: the last line is in view.
    page.wait_until("document.querySelector('#task .line:last-child .text')?.innerText === 'line 5000 of a longer text'", "the last line").await;
    page.wait_until("document.querySelectorAll('#task .line').length < 60", "few lines are drawn")
        .await;
    // Scrolled up, it stays there.
    page.run("document.querySelector('#task .lines').scrollTop = 0").await;
    page.wait_until(
        "/^line \\d+ of a/.test(document.querySelector('#task .line .text')?.innerText)",
        "the first line",
    )
    .await;
    assert_eq!(page.run("return document.querySelector('#task .lines').scrollTop").await, json!(0));
}

#[tokio::test]
async fn an_address_opens_the_task_that_it_names() {
    let tasks = "[[task]]\nname = 'web'\ncommand = ['sleep', '1000']\nenv = { MODE = 'fast' }\nports = [{ name = 'http', published = 80 }]\n";
    let agent = Agent::start(tasks);
    let page = open!("an_address_opens_the_task_that_it_names", &(agent.url() + "#/web"));
    until_live(&page).await;
    page.wait_until("document.querySelector('#task .definition code')", "the definition").await;
    let definition = page.text("#task .definition").await;
    for part in ["Command\nsleep", "1000", "Env\nMODE=fast", "StopSignal\nSIGTERM"] {
        assert!(definition.contains(part), "{part:?}: {definition:?}");
    }
    page.go(&(agent.url() + "#/none")).await;
    page.wait_until("document.querySelector('#task > .wrong')?.innerText === 'cannot read the task: there is no task \"none\"'", "the error").await;
}
