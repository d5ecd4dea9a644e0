//! `docs/playground.html` in a browser: it is opened from its file, used by mouse and by
//! keyboard, and held against axe-core.

use browser::Page;
use serde_json::{Value, json};

/// Opens the page or returns from the test, which is then reported as skipped.
macro_rules! open {
    ($test:literal) => {
        match Page::open($test, &file_url("docs/playground.html")).await {
            Some(page) => page,
            None => return,
        }
    };
}

mod playground {
    use super::{click_event, paste, trace};

    mod access;
    mod task;
    mod traces;
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
