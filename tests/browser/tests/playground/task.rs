//! The first tab: a task is moved by events.

use super::click_event;
use browser::{Page, file_url};
use serde_json::json;

#[tokio::test]
async fn events_move_the_task_and_the_history_has_the_typed_calls() {
    let page = open!("events_move_the_task_and_the_history_has_the_typed_calls");
    for event in ["accepted", "preparing", "prepared"] {
        click_event(&page, event).await;
    }
    assert_eq!(page.text("#state").await, "READY");
    assert_eq!(
        page.text("#result").await,
        "prepared: the task moves from PREPARING to READY, by the agent."
    );
    assert_eq!(
        page.texts("#history li").await,
        [
            "starts in NEW",
            "accepted: NEW to ACCEPTED\nlet task: Task<state::Accepted> = task.accepted(now);",
            "preparing: ACCEPTED to PREPARING\nlet task: Task<state::Preparing> = task.preparing(now);",
            "prepared: PREPARING to READY\nlet task: Task<state::Ready> = task.prepared(now);",
        ]
    );
    let here = "return document.querySelector('.node.here title').textContent";
    assert_eq!(page.run(here).await, json!("READY"));
    assert_eq!(page.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_refused_event_shows_the_words_of_the_library_and_of_the_compiler() {
    let page = open!("a_refused_event_shows_the_words_of_the_library_and_of_the_compiler");
    for event in ["accepted", "preparing", "prepared", "started"] {
        click_event(&page, event).await;
    }
    assert_eq!(page.text("#state").await, "READY");
    assert_eq!(
        page.text("#result").await,
        "Refused: cannot apply `started` in state ready: no edge leads to running; \
         expected starting, shutdown, rejected or orphaned."
    );
    let typed = page.text("#typed").await;
    assert!(
        typed.contains("no method named `started` found for struct `Task<onward::state::Ready>`"),
        "{typed}"
    );
    assert!(typed.contains("tests/compile-fail/skip_a_state.rs"), "{typed}");
    assert!(!typed.contains("has the same form"), "{typed}");
    // The same call in another state: the text is another state's, and the page tells it.
    page.click("#undo").await;
    click_event(&page, "started").await;
    let typed = page.text("#typed").await;
    assert!(typed.contains("about started on Task<state::Ready>"), "{typed}");
    assert!(typed.contains("started on Task<state::Preparing> has the same form"), "{typed}");
}

#[tokio::test]
async fn a_failure_shows_which_of_its_two_calls_does_not_compile() {
    let page = open!("a_failure_shows_which_of_its_two_calls_does_not_compile");
    for event in ["accepted", "preparing", "failed"] {
        click_event(&page, event).await;
    }
    assert_eq!(page.text("#state").await, "REJECTED");
    let typed = page.text("#typed").await;
    assert!(typed.contains("task.rejected(failure, now);"), "{typed}");
    assert!(
        typed.contains(
            "a task cannot move from `onward::state::Preparing` to `onward::state::Failed`"
        ),
        "{typed}"
    );
}

#[tokio::test]
async fn a_click_on_a_state_of_the_diagram_is_its_event() {
    let page = open!("a_click_on_a_state_of_the_diagram_is_its_event");
    page.click("#diagram .node[data-event='accepted']").await;
    assert_eq!(page.text("#state").await, "ACCEPTED");
    page.click("#diagram .node[data-event='shut down']").await;
    assert_eq!(page.text("#state").await, "SHUTDOWN");
}

#[tokio::test]
async fn moves_are_undone_and_a_task_starts_in_any_state() {
    let page = open!("moves_are_undone_and_a_task_starts_in_any_state");
    click_event(&page, "accepted").await;
    click_event(&page, "delayed").await;
    assert_eq!(page.text("#result").await, "delayed: it is noted. The task stays ACCEPTED.");
    page.click("#undo").await;
    page.click("#undo").await;
    assert_eq!(page.text("#result").await, "accepted is undone. The task is NEW again.");
    page.click("#undo").await;
    assert_eq!(page.text("#result").await, "There is no move to undo.");
    page.click("#start option:nth-child(8)").await;
    assert_eq!(page.text("#state").await, "RUNNING");
    click_event(&page, "finished").await;
    assert_eq!(page.text("#state").await, "COMPLETE");
    page.click("#restart").await;
    assert_eq!(page.text("#state").await, "RUNNING");
    assert_eq!(page.texts("#history li").await, ["starts in RUNNING"]);
}

#[tokio::test]
async fn every_event_in_every_state_gives_a_result() {
    let page = open!("every_event_in_every_state_gives_a_result");
    let tried = page
        .run(
            "const results = [];
             const start = document.getElementById('start');
             for (const option of start.options) {
                 for (const button of document.querySelectorAll('#events button')) {
                     start.value = option.value;
                     start.dispatchEvent(new Event('change'));
                     button.click();
                     const result = document.getElementById('result').textContent;
                     const typed = document.getElementById('typed').textContent;
                     results.push([option.value, result, typed]);
                 }
             }
             return results;",
        )
        .await;
    let tried = tried.as_array().unwrap();
    assert_eq!(tried.len(), 14 * 15);
    for each in tried {
        let [state, result, typed] = [0, 1, 2].map(|at| each[at].as_str().unwrap());
        let refused = result.starts_with("Refused: cannot apply `");
        let is_named = refused || result.contains(state);
        assert!(
            is_named && !result.contains("undefined") && !typed.contains("undefined"),
            "{each}"
        );
        assert_eq!(
            refused,
            typed.contains("does not compile:error[")
                || typed.starts_with("The typed call does not compile:"),
            "{each}"
        );
        assert!(!refused || typed.contains("error[E0"), "{each}");
    }
    assert_eq!(page.complaints().await, [""; 0]);
}
