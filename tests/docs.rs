//! The pages agree with the tests, with the source and with each other. Their blocks of code are
//! doc tests of `src/docs.rs`. `tests/course.rs` runs the course.
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
    let pages = ["containers", "performance", "status-page", "swarm"];
    page == "README.md" || pages.iter().any(|name| page == format!("docs/{name}.md"))
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

/// The code of the library below a path, without comments, each file in one line.
fn code(path: &Path, into: &mut String) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.for_each(|entry| code(&entry.unwrap().path(), into));
    }
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.for_each(|line| *into += line);
    into.push('\n');
}

/// The table of messages in the guide, and the code of the library.
fn messages_and_code() -> (String, String) {
    let guide = pages().remove("docs/guide.md").unwrap();
    let (_, table) = guide.split_once("\n## Log messages and errors\n").unwrap();
    let table = table.split("\n## ").next().unwrap().to_owned();
    let mut source = String::new();
    code(&root().join("src"), &mut source);
    (table, source)
}

#[test]
fn the_guide_lists_every_log_message() {
    let (table, source) = messages_and_code();
    let mut messages = 0;
    for call in source.split("tracing::").skip(1) {
        let levels = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
        let Some(call) = levels.iter().find_map(|name| call.strip_prefix(name)) else { continue };
        let message = call.split(");").next().unwrap().rsplit('"').nth(1).unwrap();
        // The guide has the text with each value that a placeholder at the beginning can have.
        let end = message.rsplit('}').next().unwrap();
        assert!(table.contains(&format!("{end}`")), "the guide does not list `{message}`");
        messages += 1;
    }
    assert!(messages >= 15, "{messages} messages");
}

/// The text of the first string literal.
fn literal(code: &str) -> Option<&str> {
    let (_, text) = code.split_once('"')?;
    text.split('"').next()
}

/// The parts of a format string between its placeholders that one can search for.
fn fixed_parts(format: &str) -> impl Iterator<Item = &str> {
    let parts = format.split(['{', '}']).step_by(2);
    let parts = parts.map(|part| part.trim_matches(|c: char| !c.is_alphanumeric()));
    parts.filter(|part| part.len() >= 6)
}

#[test]
fn the_guide_lists_every_error() {
    let (table, source) = messages_and_code();
    let mut texts: Vec<&str> = source.split("#[error(").skip(1).filter_map(literal).collect();
    for rest in source.split("impl fmt::Display for ").skip(1) {
        let (name, body) = rest.split_once(" {").unwrap();
        if name.ends_with("Error") || name == "RefusedTask" {
            let body = body.split("impl ").next().unwrap().split('\n').next().unwrap();
            texts.extend(body.split("write!(f, ").skip(1).filter_map(literal));
            texts.extend(body.split("write_str(").skip(1).filter_map(literal));
        }
    }
    // Errors without a type of their own.
    let made = ["ControllerError::new(format!(", "format!(\"{phase}", "format!(\"{}; terminate"];
    for made in made {
        let found = source.split_once(made).unwrap_or_else(|| panic!("no `{made}` in src"));
        let whole = &source[found.0.len()..];
        texts.extend(literal(whole));
    }
    let mut parts = 0;
    for text in &texts {
        for part in fixed_parts(text) {
            assert!(table.contains(part), "the guide does not list `{part}` of {text:?}");
            parts += 1;
        }
    }
    assert!(texts.len() >= 35 && parts >= 45, "{} texts, {parts} parts", texts.len());
}

#[test]
fn no_page_shows_a_line_that_the_documentation_hides() {
    for (page, text) in pages() {
        for block in text.split("```rust").skip(1) {
            let code = block.split("```").next().unwrap();
            let hidden = code.lines().find(|line| *line == "#" || line.starts_with("# "));
            assert_eq!(hidden, None, "{page}");
        }
    }
}

/// The source files that a row of the table of files names.
fn named_files(row: &str) -> impl Iterator<Item = &str> {
    let code = row.split('`').skip(1).step_by(2);
    code.filter(|word| Path::new(word).extension().is_some_and(|ext| ext == "rs"))
}

#[test]
fn every_file_that_the_architecture_lists_exists() {
    let page = &pages()["docs/architecture.md"];
    let mut count = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let first = row.split('`').nth(1).unwrap();
        // The other files of a row are beside the first one, or below it.
        let source = root().join("src");
        let below = source.join(first).with_extension("");
        let beside = below.parent().unwrap();
        for file in named_files(row) {
            let places = [&source, beside, &below, &below.join("core")];
            assert!(places.iter().any(|place| place.join(file).exists()), "{file} in {row}");
            count += 1;
        }
    }
    assert!(count >= 40, "{count} files are listed");
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
        assert_eq!(
            library.contains(&format!("\"../{page}\"")),
            !is_in_repository_only(page),
            "{page}"
        );
        let name = page.strip_prefix("docs/").unwrap();
        assert!(name == "README.md" || index.contains(&format!("[{name}]: {name}\n")), "{page}");
    }
}
