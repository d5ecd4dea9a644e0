//! The whole page: keyboard, addresses, network, colors, widths and accessibility.

use super::{click_event, paste};
use browser::{Page, file_url};
use serde_json::json;
use thirtyfour::Key;

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
async fn an_address_opens_the_tab_that_it_names() {
    let url = file_url("docs/playground.html") + "#traces";
    let Some(page) = Page::open("an_address_opens_the_tab_that_it_names", &url).await else {
        return;
    };
    assert!(page.text("#name").await.contains("a task runs"));
    assert_eq!(page.attribute("#task", "hidden").await.as_deref(), Some("true"));
    assert_eq!(page.run("return scrollY").await, json!(0), "the tabs are in view");
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
