//! What the pages say of tests and of each other is so. Their blocks of code are
//! doctests, by `src/lib.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path.
fn pages() -> BTreeMap<String, String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|kind| kind == "md");
    let pages = names.filter(is_page).map(|name| format!("docs/{name}"));
    let paths = pages.chain(["README.md".to_owned()]);
    paths.map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// The tests that a text names: `file.rs::function`, in backticks.
fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let quoted = text.split('`').filter_map(|word| word.split_once(".rs::"));
    quoted.filter(|(file, test)| file.chars().chain(test.chars()).all(is_path)).collect()
}

#[test]
fn every_test_that_a_page_names_is_one() {
    let mut count = 0;
    for (page, text) in pages() {
        for (file, test) in named_tests(&text) {
            let path = root().join(file).with_extension("rs");
            let source = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{page}: {file}"));
            let lines: Vec<&str> = source.lines().map(str::trim).collect();
            let head = format!("fn {test}(");
            let at = lines.iter().position(|line| line.contains(&head));
            let at = at.unwrap_or_else(|| panic!("{page}: no `{test}` in {file}.rs"));
            // Other attributes and the head of a `proptest!` may stand between.
            assert!(lines[at.saturating_sub(4)..at].contains(&"#[test]"), "{page}: {test}");
            count += 1;
        }
    }
    assert!(count >= 60, "{count} tests are named");
}

#[test]
fn every_statement_about_swarmkit_is_there_once_and_has_its_test() {
    let page = fs::read_to_string(root().join("docs/swarmkit.md")).unwrap();
    let rows = |letter: char| {
        let heads = page.lines().filter_map(|line| line.strip_prefix(&format!("| {letter}")));
        let mut numbers = Vec::new();
        for row in heads {
            let (number, rest) = row.split_once(' ').unwrap();
            if let Ok(number) = number.parse::<u32>() {
                assert!(!named_tests(rest).is_empty(), "{letter}{number} names no test");
                assert_eq!(rest.matches(" | ").count(), 2, "{letter}{number}: four cells");
                numbers.push(number);
            }
        }
        numbers
    };
    assert_eq!(rows('D'), (1..=20).collect::<Vec<_>>());
    assert_eq!(rows('T'), (1..=18).collect::<Vec<_>>());
    assert_eq!(rows('R'), [1, 2, 3, 4, 5, 6, 8]);
    assert_eq!(rows('W'), [1, 3, 4, 6, 7, 8, 9, 10, 12, 13]);
}

/// What a heading is called in a link, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let lower = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (page, text) in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") || link.starts_with("crate::") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { root().join(&page) } else { folder.join(file) };
            assert!(path.exists(), "{page}: {link}");
            if !heading.is_empty() {
                let target = fs::read_to_string(&path).unwrap();
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                assert!(headings.any(|line| anchor(line) == heading), "{page}: {link}");
            }
        }
    }
}

#[test]
fn every_page_is_in_the_documentation_and_in_the_readme() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let pages = pages();
    for page in pages.keys().filter(|page| page.starts_with("docs/")) {
        assert!(library.contains(&format!("include_str!(\"../{page}\")")), "{page}");
        assert!(pages["README.md"].contains(&format!("({page})")), "{page}");
    }
}
