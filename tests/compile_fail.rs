//! Illegal programs do not compile, and the compiler says why.
//!
//! Each program in `compile-fail/` begins with the sentence that its error has
//! to contain, `…` standing for anything; that holds on every compiler. The whole texts, in the `.stderr`
//! files, are those of one compiler, and are compared where `.ci/run` finds it.
//!
//! `docs/compile-errors.md` shows the programs and the texts, and is compared with both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The sentence on the first line of each program, by the program's name.
fn programs(folder: &Path) -> BTreeMap<String, String> {
    let mut programs = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let sentence = text.lines().next().unwrap().strip_prefix("//~ ").unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            programs.insert(name.to_owned(), sentence.to_owned());
        }
    }
    programs
}

/// A package whose binaries are the programs.
fn write_package(package: &Path, folder: &Path, programs: &BTreeMap<String, String>) {
    let library = env!("CARGO_MANIFEST_DIR");
    let binary = |name: &String| {
        let path = folder.join(name).with_extension("rs").display().to_string();
        format!("\n[[bin]]\nname = {name:?}\npath = {path:?}\n")
    };
    let manifest = format!(
        "[package]\nname = \"compile-fail\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nonward = {{ path = {library:?} }}\ntime = \"0.3\"\n{}",
        programs.keys().map(binary).collect::<String>()
    );
    fs::create_dir_all(package).unwrap();
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The versions that are there already: nothing is fetched.
    fs::copy(Path::new(library).join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
}

/// What the compiler says about each program.
fn check(package: &Path) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going", "--message-format=json"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .unwrap();
    let mut errors = BTreeMap::<String, String>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["message"]["level"] == "error" {
            let program = message["target"]["name"].as_str().unwrap().to_owned();
            *errors.entry(program).or_default() += message["message"]["rendered"].as_str().unwrap();
        }
    }
    assert!(!errors.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    errors
}

/// Whether one line of the text has all parts of the sentence, in order.
fn says(text: &str, sentence: &str) -> bool {
    text.lines().any(|line| {
        let mut rest = line;
        sentence.split('…').all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

#[test]
fn every_illegal_program_is_refused_with_its_sentence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile-fail");
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compile-fail");
    let programs = programs(&folder);
    assert!(programs.len() >= 15);
    write_package(&package, &folder, &programs);
    let errors = check(&package);
    for (name, sentence) in programs {
        match errors.get(&name) {
            Some(error) => assert!(says(error, &sentence), "{name}: {error}"),
            None => panic!("{name} compiles"),
        }
    }
}

#[test]
fn the_whole_texts_are_those_of_the_pinned_compiler() {
    if env::var_os("ONWARD_PINNED_COMPILER").is_none() {
        // Not by `eprintln`, which is shown for tests that fail only.
        let why = "skipped: the_whole_texts_are_those_of_the_pinned_compiler (it is another one)\n";
        return io::stderr().write_all(why.as_bytes()).unwrap();
    }
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}

/// What only the library itself can get wrong.
const NOT_ON_THE_PAGE: &str = "an_edge_that_goes_down";

/// The first block of a section whose language begins like this.
fn block<'a>(section: &'a str, language: &str) -> &'a str {
    let (_, rest) = section.split_once(&format!("\n```{language}")).expect(section);
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n```\n").unwrap().0
}

/// A program without what it says about itself and without an empty `main`.
fn shown(program: &str) -> String {
    let lines: Vec<&str> = program.lines().skip_while(|line| line.starts_with("//")).collect();
    let program = lines.join("\n");
    program.strip_suffix("\n\nfn main() {}").unwrap_or(&program).to_owned()
}

/// Asserts that an excerpt has the lines of a text, in order; a line `…` stands for any number.
fn assert_excerpt(name: &str, excerpt: &str, text: &str) {
    let mut rest = text;
    for (i, part) in excerpt.split('…').enumerate() {
        let Some((before, after)) = rest.split_once(part.trim_matches('\n')) else {
            panic!("{name}: the page says\n{part}\nand the compiler\n{rest}");
        };
        assert!(i > 0 || before.is_empty(), "{name}: the page leaves out\n{before}");
        rest = after;
    }
    let is_whole = excerpt.ends_with('…') || rest.trim().is_empty();
    assert!(is_whole, "{name}: the page leaves out\n{rest}");
}

#[test]
fn the_page_shows_what_the_programs_are_and_what_the_compiler_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/compile-fail");
    let page = fs::read_to_string(root.join("docs/compile-errors.md")).unwrap();
    let mut missing: BTreeSet<String> = programs(&folder).into_keys().collect();
    assert!(missing.remove(NOT_ON_THE_PAGE));
    for section in page.split("\n### `").skip(1) {
        let (name, _) = section.split_once('`').unwrap();
        assert!(missing.remove(name), "{name} is twice on the page, or is no program");
        let program = fs::read_to_string(folder.join(name).with_extension("rs")).unwrap();
        assert_eq!(block(section, "rust,compile_fail"), shown(&program), "{name}");
        let text = fs::read_to_string(folder.join(name).with_extension("stderr")).unwrap();
        assert_excerpt(name, block(section, "text"), &text);
    }
    assert_eq!(missing, BTreeSet::new(), "not on the page");
}

#[test]
fn the_readme_shows_one_of_the_programs_and_what_the_compiler_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let name = root.join("tests/compile-fail/rejected_after_starting");
    let program = fs::read_to_string(name.with_extension("rs")).unwrap();
    assert_eq!(block(&readme, "rust,compile_fail"), shown(&program));
    let text = fs::read_to_string(name.with_extension("stderr")).unwrap();
    assert_excerpt("README.md", block(&readme, "text"), &text);
}
