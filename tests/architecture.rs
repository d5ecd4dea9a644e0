//! The invariants of `docs/architecture.md` that forbid something in the source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    sources_of("src", folder)
}

/// The sources in a folder of the crate whose sources are in `root`.
fn sources_of(root: &str, folder: &str) -> Vec<(PathBuf, String)> {
    fn collect(path: &Path, into: &mut Vec<(PathBuf, String)>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), into);
            }
        } else if !is_test(path) {
            into.push((path.to_owned(), fs::read_to_string(path).unwrap()));
        }
    }
    /// Modules that only tests build: `tests`, `shuttle_tests` and `explore`.
    fn is_test(path: &Path) -> bool {
        let mut parts = path.iter().filter_map(|part| part.to_str());
        parts.any(|part| {
            let name = part.trim_end_matches(".rs");
            name == "explore" || name == "tests" || name.ends_with("_tests")
        })
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut found = Vec::new();
    collect(&root.join(folder), &mut found);
    if let Ok(text) = fs::read_to_string(root.join(folder).with_extension("rs")) {
        found.push((root.join(folder).with_extension("rs"), text));
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The lines of code: without comments and docs.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

fn assert_absent(folder: &str, words: &[&str]) {
    for (path, text) in sources(folder) {
        for line in code(&text) {
            for word in words {
                assert!(!line.contains(word), "{}: `{word}` in `{line}`", path.display());
            }
        }
    }
}

#[test]
fn the_lifecycle_has_no_async_no_clock_no_logging_and_no_exec() {
    assert_absent(
        "lifecycle",
        &["async", ".await", "Future", "now()", "SystemTime", "Instant", "tracing", "crate::exec"],
    );
}

#[test]
fn only_one_file_builds_tasks() {
    for (path, text) in sources("") {
        if !path.ends_with("lifecycle/task.rs") {
            for line in code(&text) {
                assert!(!line.contains("Key(())"), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_library_starts_no_thread_and_no_runtime_and_prints_nothing() {
    let threads = ["thread::spawn", "thread::Builder", "thread::scope", "thread::park"];
    assert_absent("", &threads);
    assert_absent("", &["thread::yield", "block_on", "println!", "eprintln!"]);
    for (path, text) in sources("") {
        // A store that waits for the lock of its file does so on the thread that it
        // received.
        if !path.ends_with("store/redb.rs") {
            assert!(!code(&text).any(|line| line.contains("sleep(")), "{}", path.display());
        }
    }
}

#[test]
fn no_source_of_the_library_contains_an_explicit_panic() {
    assert_absent(
        "",
        &[
            ".unwrap()",
            ".expect(",
            "panic!(",
            "unreachable!(",
            "todo!(",
            "unimplemented!(",
            "unsafe",
        ],
    );
}

#[test]
fn only_one_file_calls_the_runtime_and_catches_its_panics() {
    for (path, text) in sources("agent") {
        let is = |file: &str| path.ends_with(file);
        if is("agent/runtime.rs") || is("runtime/tokio.rs") || is("agent/panic.rs") {
            continue;
        }
        for line in code(&text) {
            let calls = [".now()", ".utc_now()", ".sleep_until(", "runtime.spawn("];
            let calls = calls.iter().any(|call| line.contains(call));
            let is_own = line.contains("race.now()") || line.contains("Instant::now()");
            assert!(!calls || is_own, "{}: {line}", path.display());
            assert!(!line.contains("catch_unwind"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn tasks_are_not_cloned_and_not_serialized() {
    for file in ["lifecycle/task.rs", "lifecycle/any_task.rs"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file));
        let text = text.unwrap();
        let types = ["pub struct Task<", "pub enum AnyTask"];
        assert!(types.iter().any(|name| text.contains(name)));
        assert!(!code(&text).any(|line| line.contains("serde")), "{file}");
        for name in types {
            if let Some(at) = text.find(name) {
                let derives = text[..at].rfind("#[derive").unwrap();
                assert!(!text[derives..at].contains("Clone"), "{name}");
            }
        }
    }
}

#[test]
fn only_five_dependencies_are_built_without_a_feature() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let manifest = manifest.unwrap();
    let section = |name: &str| {
        let (_, after) = manifest.split_once(&format!("\n[{name}]\n")).unwrap();
        let lines = after.lines().take_while(|line| !line.starts_with('['));
        let entries = lines.filter_map(|line| line.split_once(" = "));
        entries.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect::<Vec<_>>()
    };
    let features = section("features");
    let brought_by = |dependency: &str| -> Vec<&str> {
        let brings = format!("\"dep:{dependency}\"");
        let by = features.iter().filter(|(_, brought)| brought.contains(&brings));
        by.map(|(feature, _)| feature.as_str()).collect()
    };
    let mut always = Vec::new();
    for (name, rest) in section("dependencies") {
        match brought_by(&name)[..] {
            [] => {
                assert!(!rest.contains("optional"), "{name}");
                always.push(name);
            }
            ["serde"] => always.push(name),
            ["redb" | "tokio" | "testing"] => assert!(rest.contains("optional = true"), "{name}"),
            ref by => panic!("{name} is a dependency of {by:?}"),
        }
    }
    always.sort();
    assert_eq!(always, ["futures", "serde", "thiserror", "time", "tracing"]);
}

/// The files of the contract kit that a file uses, by name.
fn used_files(name: &str, text: &str, files: &[String]) -> Vec<String> {
    let mut used = Vec::new();
    for line in code(text) {
        // A unit test can use everything in its own file.
        if line == "use super::*;" {
            continue;
        }
        let Some(path) = line.trim_start_matches("pub ").strip_prefix("use ") else { continue };
        let folder = name.rsplit_once("::").map_or("", |(folder, _)| folder);
        let path = path.trim_end_matches(';');
        let path = match (path.strip_prefix("super::"), path.split_once("testing::contract::")) {
            (Some(rest), _) if folder.is_empty() => rest.to_owned(),
            (Some(rest), _) => format!("{folder}::{rest}"),
            (_, Some((_, rest))) => rest.to_owned(),
            _ => format!("{name}::{path}"),
        };
        let mut found =
            files.iter().filter(|file| path == **file || path.starts_with(&format!("{file}::")));
        let longest = found.by_ref().max_by_key(|file| file.len());
        used.extend(longest.filter(|file| *file != name).cloned());
        assert!(!path.starts_with('{') && path.starts_with(char::is_lowercase), "{name}: {line}");
    }
    used
}

/// The sources in a folder, by the names of their modules.
fn modules(root: &str, folder: &str) -> Vec<(String, String)> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join(folder);
    sources_of(root, folder)
        .into_iter()
        .filter_map(|(path, text)| {
            let path = path.strip_prefix(&base).ok()?.with_extension("");
            Some((path.to_str()?.replace('/', "::"), text))
        })
        .collect()
}

/// Removes each file all of whose used files are removed, until none is left. Panics if the
/// files use each other in a circle.
#[track_caller]
fn assert_no_circle(uses: Vec<(String, Vec<String>)>) {
    let mut left = uses;
    while !left.is_empty() {
        let there: Vec<_> = left.iter().map(|(name, _)| name.clone()).collect();
        let before = left.len();
        left.retain(|(_, used)| used.iter().any(|file| there.contains(file)));
        assert!(left.len() < before, "a circle: {left:?}");
    }
}

#[test]
fn the_files_of_the_contract_kit_have_no_circle() {
    let sources = modules("src", "testing/contract");
    let files: Vec<_> = sources.iter().map(|(name, _)| name.clone()).collect();
    let uses: Vec<_> =
        sources.iter().map(|(name, text)| (name.clone(), used_files(name, text, &files))).collect();
    let arrows: usize = uses.iter().map(|(_, used)| used.len()).sum();
    assert!(arrows > 40, "{arrows} uses were found");
    assert_no_circle(uses);
}

/// The files of the benches that a file uses, by name: the first name after `crate::` and
/// `super::`, each name of a group, and each name before the `::` of a submodule.
///
/// The state machines that are compared are in their own folder, and each user declares
/// them. A name of `machines` is therefore not one of these files.
fn used_benches(name: &str, text: &str, files: &[String], machines: &[String]) -> Vec<String> {
    let (folder, own) = name.rsplit_once("::").map_or(("", name), |(folder, own)| (folder, own));
    let inside = |folder: &str, word: &str| match folder {
        "" => word.to_owned(),
        folder => format!("{folder}::{word}"),
    };
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let text = code(text).collect::<Vec<_>>().join(" ");
    let mut used = Vec::new();
    for (marker, folder, root) in [("crate::", "", "main"), ("super::", folder, folder)] {
        for (at, _) in text.match_indices(marker) {
            let rest = &text[at + marker.len()..];
            let group = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let names = group.map_or_else(|| vec![rest], |(group, _)| group.split(',').collect());
            for path in names {
                let word = path.trim().split(|c| !is_of_word(c)).next().unwrap_or_default();
                let file = inside(folder, word);
                // A name that is not a file is in the file that declares the module.
                let is_declared = files.contains(&file) || machines.iter().any(|name| name == word);
                used.push(if is_declared { file } else { root.to_owned() });
            }
        }
    }
    let below = if own == "main" { folder.to_owned() } else { name.to_owned() };
    for (at, _) in text.match_indices("::") {
        let word = text[..at].rsplit(|c| !is_of_word(c)).next().unwrap_or_default();
        used.push(inside(&below, word));
    }
    used.retain(|file| files.contains(file) && file != name);
    used
}

#[test]
fn the_files_of_the_benches_have_no_circle() {
    let sources = modules("benches/src", "");
    let files: Vec<_> = sources.iter().map(|(name, _)| name.clone()).collect();
    let mut machines: Vec<_> =
        modules("benches/machines", "").into_iter().map(|(name, _)| name).collect();
    machines.push("record".to_owned());
    let uses: Vec<_> = sources
        .iter()
        .map(|(name, text)| (name.clone(), used_benches(name, text, &files, &machines)))
        .collect();
    let arrows: usize = uses.iter().map(|(_, used)| used.len()).sum();
    assert!(arrows > 60, "{arrows} uses were found");
    assert_no_circle(uses);
}
