//! What the pages say of tests and of each other is so. Their blocks of code are
//! doctests, by `src/lib.rs`; `tests/course.rs` tries the course as its reader does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path.
fn pages() -> BTreeMap<String, String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "md"));
    let paths = names.map(|name| format!("docs/{name}")).chain(["README.md".to_owned()]);
    paths.map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// Whether a page is not in the library's documentation. Such a page writes out its links.
fn is_in_repository_only(page: &str) -> bool {
    ["README.md", "docs/performance.md"].contains(&page)
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

#[test]
fn the_controller_that_one_is_told_to_write_is_the_one_that_is_run() {
    let page = fs::read_to_string(root().join("docs/getting-started.md")).unwrap();
    let controller = fs::read_to_string(root().join("examples/getting-started/job.rs")).unwrap();
    assert!(page.contains(&format!("```rust\n{controller}```\n")));
}

#[test]
fn everything_that_is_logged_is_in_the_guide() {
    fn sources(path: &Path, into: &mut String) {
        if path.is_dir() {
            return fs::read_dir(path)
                .unwrap()
                .for_each(|entry| sources(&entry.unwrap().path(), into));
        }
        // Without what is only said in comments.
        let text = fs::read_to_string(path).unwrap_or_default();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.for_each(|line| *into += line);
    }
    let (mut source, guide) = (String::new(), pages()["docs/guide.md"].clone());
    sources(&root().join("src"), &mut source);
    let mut messages = 0;
    for call in source.split("tracing::").skip(1) {
        let macros = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
        let Some(call) = macros.iter().find_map(|name| call.strip_prefix(name)) else { continue };
        let message = call.split(");").next().unwrap().rsplit('"').nth(1).unwrap();
        // What is put in when it is logged stands there as it is then.
        let end = message.rsplit('}').next().unwrap();
        assert!(guide.contains(&format!("{end}`")), "the guide does not tell of `{message}`");
        messages += 1;
    }
    assert!(messages >= 15, "{messages} messages");
}

/// What a heading is called in a link, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let lower = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The path of a link, and the heading that it leads to, if any.
fn parts(link: &str) -> (&str, &str) {
    link.split_once('#').unwrap_or((link, ""))
}

fn assert_leads_somewhere(page: &str, link: &str) {
    let (file, heading) = parts(link);
    let folder = root().join(page).parent().unwrap().to_owned();
    let path = if file.is_empty() { root().join(page) } else { folder.join(file) };
    assert!(path.exists(), "{page}: {link}");
    if !heading.is_empty() {
        let target = fs::read_to_string(&path).unwrap();
        let mut headings = target.lines().filter(|line| line.starts_with('#'));
        assert!(headings.any(|line| anchor(line) == heading), "{page}: {link}");
    }
}

/// The definitions of links, at the end of a page: their label and where they lead.
fn definitions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
}

#[test]
fn every_link_leads_somewhere() {
    for (page, text) in pages() {
        let written = text.split("](").skip(1).map(|link| link.split(')').next().unwrap());
        for link in written.filter(|link| !link.starts_with("https://")) {
            // In the documentation, a page is not where it is in the repository.
            let stays = is_in_repository_only(&page) || link.starts_with('#');
            assert!(stays, "{page}: {link} belongs to the end of the page");
            assert_leads_somewhere(&page, link);
        }
        for (_, link) in definitions(&text) {
            assert_leads_somewhere(&page, link);
        }
    }
}

#[test]
fn every_link_that_a_page_defines_is_also_one_in_the_documentation() {
    let there = fs::read_to_string(root().join("src/docs/links.md")).unwrap();
    let there: BTreeMap<_, _> = definitions(&there).collect();
    let mut used = BTreeSet::new();
    for (page, text) in pages().into_iter().filter(|(page, _)| !is_in_repository_only(page)) {
        for (label, link) in definitions(&text) {
            let Some(target) = there.get(label) else { panic!("{page}: {label}") };
            // One page is known by its file here, and by its module there.
            let (file, heading) = parts(link);
            let name = file.strip_suffix(".md").filter(|name| !name.contains('/'));
            match name {
                Some(_) if is_in_repository_only(&format!("docs/{file}")) => {
                    assert_eq!(target, &"crate::docs", "{label}");
                }
                Some(name) => {
                    let module = format!("crate::docs::{}", name.replace('-', "_"));
                    assert_eq!(parts(target), (&*module, heading), "{label}");
                }
                None => {}
            }
            assert!(text.matches(&format!("[{label}]")).count() > 1, "{page}: {label} is not used");
            used.insert(label.to_owned());
        }
    }
    assert!(there.keys().all(|label| used.contains(*label)), "{there:?}");
}

#[test]
fn every_page_is_in_the_documentation_and_in_the_index() {
    let library = fs::read_to_string(root().join("src/docs.rs")).unwrap();
    let pages = pages();
    let index = &pages["docs/README.md"];
    for page in pages.keys().filter(|page| page.starts_with("docs/")) {
        assert_eq!(library.contains(&format!("\"../{page}\"")), page != "docs/performance.md", "{page}");
        let name = page.strip_prefix("docs/").unwrap();
        assert!(name == "README.md" || index.contains(&format!("[{name}]: {name}\n")), "{page}");
    }
}
