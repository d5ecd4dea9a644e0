//! `docs/playground.html` in a browser: it is opened from its file, used by mouse and by
//! keyboard, and held against axe-core.

use browser::{Page, file_url};
use serde_json::{Value, json};
use thirtyfour::Key;

/// Opens the page or returns from the test, which is then reported as skipped.
macro_rules! open {
    ($test:literal) => {
        match Page::open($test, &file_url("docs/playground.html")).await {
            Some(page) => page,
            None => return,
        }
    };
}

/// The button of an event.
fn button(page_events: &[String], event: &str) -> String {
    let at = page_events.iter().position(|text| text.lines().next() == Some(event));
    let at = at.unwrap_or_else(|| panic!("no event {event} among {page_events:?}"));
    format!("#events button:nth-child({})", at + 1)
}

async fn click_event(page: &Page, event: &str) {
    let events = page.texts("#events button").await;
    page.click(&button(&events, event)).await;
}

async fn paste(page: &Page, text: &str) {
    if page.attribute("#own", "open").await.is_none() {
        page.click("#own summary").await;
    }
    page.fill("#text", text).await;
    page.click("#show").await;
}

/// A trace with these entries, as a line.
fn trace(entries: &Value, last: &str) -> String {
    json!({ "scenario": "pasted", "trace": entries, "final_status": { "State": last } }).to_string()
}

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
        "Refused: `started` leads to running, where no edge leads from ready: \
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
        let refused = result.starts_with("Refused: `");
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

#[tokio::test]
async fn the_keyboard_alone_moves_a_task_and_changes_the_tab() {
    let page = open!("the_keyboard_alone_moves_a_task_and_changes_the_tab");
    let focused = "return document.activeElement.id || document.activeElement.textContent";
    page.press(Key::Tab).await;
    assert_eq!(page.run(focused).await, json!("task-tab"));
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(page.run(outline).await, json!("solid"), "the focus is visible");
    // Diagram, start, restart, undo, then the events: the third is `accepted`.
    for _ in 0..7 {
        page.press(Key::Tab).await;
    }
    assert_eq!(page.run(focused).await, json!("acceptedto ACCEPTED"));
    page.press(Key::Enter).await;
    assert_eq!(page.text("#state").await, "ACCEPTED");
    assert_eq!(page.attribute("#result", "role").await.as_deref(), Some("status"));
    // The focus stays, and the next event is one key away.
    page.press(Key::Tab).await;
    page.press(Key::Space).await;
    assert_eq!(page.text("#state").await, "PREPARING");

    page.run("document.getElementById('task-tab').focus()").await;
    for (key, open) in [
        (Key::Right, "traces"),
        (Key::Right, "task"),
        (Key::Left, "traces"),
        (Key::Home, "task"),
        (Key::End, "traces"),
    ] {
        page.press(key).await;
        assert_eq!(page.run(focused).await, json!(format!("{open}-tab")));
        let shown = "return [...document.querySelectorAll('[role=tabpanel]:not([hidden])')].map((each) => each.id)";
        assert_eq!(page.run(shown).await, json!([open]));
    }
}

#[tokio::test]
async fn each_built_in_trace_is_shown_with_its_states_and_marks() {
    let page = open!("each_built_in_trace_is_shown_with_its_states_and_marks");
    page.click("#traces-tab").await;
    let names = page.texts("#choice option").await;
    assert_eq!(names.len(), 10);
    let mut marks = Vec::new();
    for (at, name) in names.iter().enumerate() {
        page.click(&format!("#choice option:nth-child({})", at + 1)).await;
        assert_eq!(page.text("#name").await, *name);
        assert!(!page.text("#why").await.is_empty(), "{name}");
        marks.push((name.clone(), page.texts("#timeline .mark").await.len()));
        let entries = page.texts("#entries tr").await;
        assert!(entries.iter().all(|entry| !entry.contains("undefined")), "{name}: {entries:?}");
        let label = page.attribute("#timeline svg", "aria-label").await.unwrap();
        assert!(label.starts_with("States: "), "{label}");
    }
    let label = async |at: usize| {
        page.click(&format!("#choice option:nth-child({at})")).await;
        page.attribute("#timeline svg", "aria-label").await.unwrap()
    };
    let rest = " The entries are in the table below.";
    assert_eq!(
        label(1).await,
        format!(
            "States: unknown, ACCEPTED, PREPARING, READY, STARTING, RUNNING, COMPLETE. Marks: none.{rest}"
        )
    );
    assert_eq!(
        label(3).await,
        format!(
            "States: unknown, ACCEPTED, PREPARING, READY, STARTING, RUNNING, COMPLETE. Marks: retry 1, retry 2, retry 3, retry 1.{rest}"
        )
    );
    assert_eq!(
        label(4).await,
        format!("States: unknown, ACCEPTED, PREPARING, REJECTED. Marks: retry 1, deadline.{rest}")
    );
    assert_eq!(
        label(5).await,
        format!("States: unknown, STARTING, FAILED. Marks: retry 1, deadline.{rest}")
    );
    assert_eq!(
        label(8).await,
        format!("States: RUNNING, SHUTDOWN. Marks: retry 1, grace over, retry 1.{rest}")
    );
    assert_eq!(
        label(9).await,
        format!("States: STARTING, RUNNING. Marks: refused, refused.{rest}")
    );
    assert_eq!(label(10).await, format!("States: RUNNING. Marks: retry 1, ended.{rest}"));
    assert_eq!(page.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_trace_is_replayed_entry_by_entry() {
    let page = open!("a_trace_is_replayed_entry_by_entry");
    page.click("#traces-tab").await;
    let last = page.texts("#entries tr").await.len();
    let now = async || page.text("#now").await;
    assert!(now().await.starts_with(&format!("Entry {last} of {last}, ")));
    page.click("#back").await;
    assert!(now().await.starts_with(&format!("Entry {} of {last}, ", last - 1)));
    page.run("document.getElementById('position').focus()").await;
    page.press(Key::Home).await;
    assert_eq!(now().await, format!("Entry 1 of {last}, at 0 ms: the task is ACCEPTED; accepted."));
    page.click("#next").await;
    let row = "#entries tr:nth-child(2)[aria-current] td:nth-child(2)";
    assert_eq!(page.text(row).await, "the task is PREPARING; preparing");
    assert!(!page.texts("#timeline .ahead").await.is_empty());
    page.press(Key::Home).await;
    page.click("#play").await;
    assert_eq!(page.text("#play").await, "Pause");
    page.wait_until("document.getElementById('play').textContent === 'Play'", "the replay ends")
        .await;
    assert!(now().await.starts_with(&format!("Entry {last} of {last}, ")));
}

#[tokio::test]
async fn pasted_traces_are_shown_beside_the_built_in_ones() {
    let page = open!("pasted_traces_are_shown_beside_the_built_in_ones");
    page.click("#traces-tab").await;
    let built_in = page
        .run("return JSON.parse(document.getElementById('data').textContent).traces[3].answer")
        .await;
    let hostile = "<img src=x onerror=alert(1)>";
    let other = json!({
        "scenario": hostile,
        "trace": [{ "at_ms": 5, "event": "refused", "reason": hostile }],
        "final_status": { "State": "running" },
    });
    paste(&page, &format!("{built_in}\n\n{other}\n")).await;
    assert_eq!(page.text("#error").await, "");
    assert_eq!(page.texts("#choice option").await.len(), 12);
    assert_eq!(page.text("#name").await, "prepare exceeds its deadline");
    page.click("#choice optgroup:nth-child(2) option:nth-child(2)").await;
    assert_eq!(page.text("#name").await, hostile);
    assert_eq!(page.run("return document.images.length").await, json!(0));
}

#[tokio::test]
async fn a_wrong_text_gets_an_error_that_names_the_line_and_what_would_be_right() {
    let page = open!("a_wrong_text_gets_an_error_that_names_the_line_and_what_would_be_right");
    page.click("#traces-tab").await;
    let right = trace(&json!([]), "running");
    let call = json!({ "at_ms": 5, "event": "call", "operation": "wait" });
    for (line, error) in [
        (
            "{",
            "line 2: not JSON (column 2: Expected *): expected one whole object a line, as `conformance -- scenarios` prints it",
        ),
        (
            "{\"trace\":",
            "line 2: not JSON (Unexpected end of JSON input): expected one whole object a line, as `conformance -- scenarios` prints it",
        ),
        (
            "[1]",
            "line 2: [1] is no object: expected one with `scenario`, `trace` and `final_status`",
        ),
        (
            "{\"error\":\"line 1: no\"}",
            "line 2: the program could not read the scenario: line 1: no: correct the scenario and run it again",
        ),
        (
            "{\"scenario\":\"a\",\"task\":{}}",
            "line 2: this is a scenario: expected its trace, which `conformance -- scenarios` prints for it",
        ),
        ("{\"trace\":3}", "line 2: trace is 3: expected an array of entries"),
        (
            &trace(&json!([]), "gone"),
            "line 2: final_status.State is \"gone\": expected new, pending, *, remove or orphaned",
        ),
        (&trace(&json!([4]), "running"), "line 2: trace[0] is 4: expected an object"),
        (
            &trace(&json!([{ "at_ms": -1 }]), "running"),
            "line 2: trace[0].at_ms is -1: expected a whole number of milliseconds, at least 0",
        ),
        (
            &trace(&json!([call, { "at_ms": 4, "event": "ended" }]), "running"),
            "line 2: trace[1].at_ms is 4: expected a whole number of milliseconds, at least 5",
        ),
        (
            &trace(&json!([{ "at_ms": 0, "event": "called" }]), "running"),
            "line 2: trace[0].event is \"called\": expected call, return, cancel, status, refused or ended",
        ),
        (
            &trace(&json!([{ "at_ms": 0, "event": "call", "operation": "stop" }]), "running"),
            "line 2: trace[0].operation is \"stop\": expected update, prepare, start, wait, shutdown, terminate, remove or close",
        ),
        (
            &trace(&json!([call, call]), "running"),
            "line 2: trace[1].operation is \"wait\": expected no call while `wait` is in flight",
        ),
        (
            &trace(&json!([{ "at_ms": 0, "event": "cancel", "operation": "wait" }]), "running"),
            "line 2: trace[0].operation is \"wait\": expected a call of `wait` before it",
        ),
        (
            &trace(
                &json!([call, { "at_ms": 5, "event": "return", "operation": "wait" }]),
                "running",
            ),
            "line 2: trace[1].error is missing: expected null or a text",
        ),
        (
            &trace(&json!([{ "at_ms": 0, "event": "status" }]), "running"),
            "line 2: trace[0].status is missing: expected an object with `State`",
        ),
        (
            &trace(&json!([{ "at_ms": 0, "event": "refused" }]), "running"),
            "line 2: trace[0].reason is missing: expected a text",
        ),
        (
            &trace(
                &json!([{ "at_ms": 0, "event": "status", "status": { "State": "running" } }]),
                "ready",
            ),
            "line 2: final_status.State is \"ready\", where no edges lead from running: expected running, complete, shutdown, failed or orphaned",
        ),
        (
            &trace(
                &json!([{ "at_ms": 0, "event": "status", "status": { "State": "failed" } }]),
                "running",
            ),
            "line 2: final_status.State is \"running\", where no edges lead from failed: expected failed, which is terminal",
        ),
    ] {
        paste(&page, &format!("{right}\n{line}")).await;
        let shown = page.text("#error").await;
        let parts: Vec<&str> = error.split('*').collect();
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        let is_right = if parts.len() == 1 {
            shown == error
        } else {
            shown.starts_with(first) && shown.ends_with(last)
        };
        assert!(is_right, "{line}\nshows {shown}\nexpected {error}");
        assert_eq!(page.attribute("#text", "aria-invalid").await.as_deref(), Some("true"));
    }
    paste(&page, "\n").await;
    assert_eq!(
        page.text("#error").await,
        "line 1: it is empty: expected a trace, as `conformance -- scenarios` prints it"
    );
    paste(&page, &right).await;
    assert_eq!(page.text("#error").await, "");
    assert_eq!(page.text("#now").await, "The trace has no entries.");
    assert_eq!(page.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_asks_for_nothing_from_anywhere() {
    let page = open!("the_page_asks_for_nothing_from_anywhere");
    page.click("#traces-tab").await;
    let asked =
        page.run("return performance.getEntriesByType('resource').map(({ name }) => name)").await;
    assert_eq!(asked, json!([]));
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
async fn in_light_and_dark_and_on_narrow_screens_it_violates_no_rule_of_axe() {
    let test = "in_light_and_dark_and_on_narrow_screens_it_violates_no_rule_of_axe";
    let page = open!("in_light_and_dark_and_on_narrow_screens_it_violates_no_rule_of_axe");
    click_event(&page, "accepted").await;
    click_event(&page, "started").await;
    for tab in ["task", "traces"] {
        page.click(&format!("#{tab}-tab")).await;
        if tab == "traces" {
            page.click("#choice option:nth-child(8)").await;
            page.click("#back").await;
            paste(&page, "{").await;
        }
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)] {
            page.set_color_scheme(scheme).await;
            page.set_width(width).await;
            // Wide parts scroll in boxes of their own.
            let overflow =
                page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
            assert_eq!(overflow, json!(0), "{tab} {scheme} {width}");
            page.picture(&format!("{tab}-{scheme}-{width}")).await;
            let Some(violations) = page.violations(test).await else { return };
            assert_eq!(violations, [""; 0], "{tab} {scheme} {width}");
        }
    }
}
