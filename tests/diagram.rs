//! Every diagram shows exactly the edges of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

#[path = "../examples/diagram.rs"]
#[expect(dead_code, reason = "of the program, only what prints the page is called here")]
mod program;

use onward::diagram::{Diagram, DiagramFormat};
use onward::lifecycle::{EDGES, EventKind, TaskState, Transition};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FORMATS: [DiagramFormat; 3] =
    [DiagramFormat::Mermaid, DiagramFormat::Dot, DiagramFormat::Markdown];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The edges as `FROM TO`.
fn names(edges: &[Transition]) -> BTreeSet<String> {
    let name = |edge: &Transition| format!("{} {}", edge.from.proto_name(), edge.to.proto_name());
    edges.iter().map(name).collect()
}

fn edges() -> BTreeSet<String> {
    names(EDGES)
}

/// The edges that a diagram shows as `FROM TO`, and whether each is marked.
fn shown(format: DiagramFormat, drawing: &str) -> Vec<(String, bool)> {
    let mut shown = Vec::new();
    for line in drawing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (format, &words[..]) {
            (DiagramFormat::Mermaid, [from, arrow, .., to])
                if ["-->", "-.->", "==>"].iter().any(|kind| arrow.starts_with(kind)) =>
            {
                shown.push((format!("{from} {to}"), line.contains("|untaken|")));
            }
            (DiagramFormat::Dot, [from, "->", to, ..]) => {
                shown.push((format!("{from} {to}"), line.contains("label=\"untaken\"")));
            }
            (DiagramFormat::Markdown, ["|", from, "|", ..]) if *from != "from" => {
                for target in words[3..].join(" ").split([',', '|']).map(str::trim) {
                    if let Some(to) = target.split(' ').next().filter(|to| !to.is_empty()) {
                        shown.push((format!("{from} {to}"), target.ends_with("**(untaken)**")));
                    }
                }
            }
            _ => {}
        }
    }
    shown
}

#[test]
fn each_format_shows_every_edge_once() {
    for format in FORMATS {
        let shown = shown(format, &Diagram::new(format).to_string());
        assert_eq!(shown.len(), EDGES.len(), "{format:?}");
        let shown: BTreeSet<_> = shown.into_iter().map(|(edge, _)| edge).collect();
        assert_eq!(shown, edges(), "{format:?}");
    }
}

#[test]
fn each_format_marks_exactly_the_untaken_edges() {
    for untaken in [&EDGES[..0], &EDGES[3..4], &EDGES[10..20], EDGES] {
        for format in FORMATS {
            let drawing = Diagram::new(format).with_untaken(untaken.iter().copied()).to_string();
            let marked = shown(format, &drawing).into_iter().filter(|(_, marked)| *marked);
            let marked: BTreeSet<_> = marked.map(|(edge, _)| edge).collect();
            assert_eq!(marked, names(untaken), "{format:?}");
        }
    }
}

#[test]
fn the_table_in_the_page_is_what_is_printed() {
    let page = read("docs/architecture.md");
    let (_, block) =
        page.split_once("<!-- cargo run --example diagram -- markdown -->\n\n").unwrap();
    let printed = Diagram::new(DiagramFormat::Markdown).to_string();
    assert_eq!(block.split("\n\n").next(), Some(printed.trim_end()));
}

#[test]
fn the_picture_has_the_edges_of_the_table() {
    let picture = read("docs/lifecycle.svg");
    let titles = picture.lines().filter_map(|line| line.strip_prefix("<title>"));
    let arrows = titles.filter_map(|title| title.strip_suffix("</title>")?.split_once("&#45;&gt;"));
    let drawn: Vec<_> = arrows.map(|(from, to)| format!("{from} {to}")).collect();
    assert_eq!(drawn.len(), EDGES.len());
    assert_eq!(drawn.into_iter().collect::<BTreeSet<_>>(), edges());
    // A blank line would end the picture inside a Markdown page.
    assert!(picture.lines().all(|line| !line.trim().is_empty()));
}

#[test]
fn the_page_to_try_it_is_what_is_printed() {
    let (printed, held) = (program::playground::page().unwrap(), read("docs/playground.html"));
    let differs = printed.lines().zip(held.lines()).position(|(printed, held)| printed != held);
    let command = "cargo run --example diagram -- html > docs/playground.html";
    assert_eq!(differs.map(|at| at + 1), None, "the first line that differs; run `{command}`");
    assert!(printed == held, "one ends before the other; run `{command}`");
}

/// The table of moves in the page: by state, by event.
fn moves_on_the_page() -> Vec<Vec<Value>> {
    let page = read("docs/playground.html");
    let (_, data) = page.split_once("id=\"data\">\n").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    serde_json::from_value(data["moves"].clone()).unwrap()
}

#[test]
fn the_page_has_every_event_in_every_state_and_a_text_of_the_compiler_for_each_refusal() {
    let rows = moves_on_the_page();
    assert_eq!(rows.len(), TaskState::ALL.len());
    for (state, row) in TaskState::ALL.into_iter().zip(rows) {
        assert_eq!(row.len(), EventKind::ALL.len());
        for (kind, cell) in EventKind::ALL.into_iter().zip(row) {
            let leads =
                kind.leads_to(state).map_or(!state.is_terminal(), |to| state.can_become(to));
            // Where a task has ended, it is noted that there is no controller.
            let is_noted = kind == EventKind::Unresolved && state.is_terminal();
            assert_eq!(cell["to"].is_string(), leads || is_noted, "{kind} in {state}: {cell}");
            assert_eq!(cell["refusal"].is_null(), leads || is_noted, "{kind} in {state}: {cell}");
            let is_compiled = cell["not_compiled"].is_null();
            let both_calls = kind == EventKind::Failed;
            assert_eq!(
                is_compiled,
                (leads && !both_calls) || is_noted,
                "{kind} in {state}: {cell}"
            );
        }
    }
}

#[test]
fn each_typed_call_on_the_page_is_a_method_of_a_task() {
    let task = read("src/lifecycle/task.rs");
    for cell in moves_on_the_page().into_iter().flatten() {
        let calls = cell["calls"].as_array().unwrap();
        assert!(!calls.is_empty(), "{cell}");
        for call in calls {
            let (_, method) = call.as_str().unwrap().split_once("task.").unwrap();
            let (method, _) = method.split_once('(').unwrap();
            assert!(task.contains(&format!("    pub fn {method}(")), "{call}");
        }
    }
}

#[test]
fn each_text_of_the_compiler_on_the_page_is_about_the_call_that_it_is_shown_for() {
    for held in program::typed::HELD {
        let name = held.name;
        let source = read(&format!("tests/compile-fail/{name}.rs"));
        assert!(source.contains(&format!("Task<state::{:?}>", held.state)), "{name}");
        assert!(source.contains(&format!("task.{}(", held.method)), "{name}");
        assert!(held.text.contains(&format!("onward::state::{:?}", held.state)), "{name}");
    }
}
