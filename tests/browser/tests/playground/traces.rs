//! The second tab: traces are chosen, replayed and pasted.

use super::{paste, trace};
use browser::{Page, file_url};
use serde_json::json;
use thirtyfour::Key;

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
