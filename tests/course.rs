//! The course, `docs/typestate.md`, as a reader follows it.
//!
//! Each block is compiled without a warning, and each program is run. The errors on the
//! page are compared with those of the compiler. The reader has a package with the name
//! `course`, and these rules, which the page explains:
//!
//! - A block with `fn main` is a program.
//! - A block that begins with `// src/lib.rs` is the library of the package, or the next
//!   part of it.
//! - Any other block is added to the program before it.
//! - If an error follows a block, the program does not compile.
//!
//! Blocks that use `onward` are left to the doctests. `examples/00_door.rs` is tried here
//! too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a program of the course may run.
const LIMIT: Duration = Duration::from_secs(60);

/// A program as the reader has it after a block of the page.
struct Program {
    /// The heading above it.
    heading: String,
    text: String,
    /// The error that the page shows, if it does not compile.
    error: Option<String>,
}

#[derive(Default)]
struct Course {
    library: String,
    programs: Vec<Program>,
}

impl Course {
    /// Reads a page.
    fn read(page: &str) -> Self {
        let mut course = Self::default();
        let mut heading = "";
        // The program to which the next block is added.
        let mut base = String::new();
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("## ") || line.starts_with("### ") || line.contains("<summary>") {
                heading = line;
            }
            let Some(language) = line.strip_prefix("```") else { continue };
            let block: String = lines
                .by_ref()
                .take_while(|line| *line != "```")
                .flat_map(|line| [line, "\n"])
                .collect();
            if language == "text" && block.starts_with("error") {
                course.programs.last_mut().unwrap().error = Some(block);
            } else if language.starts_with('r') && !block.contains("onward") {
                if block.starts_with("// src/lib.rs") {
                    course.library += &block;
                    continue;
                }
                let text = if block.contains("fn main()") {
                    base.clone_from(&block);
                    block
                } else {
                    add(&base, &block)
                };
                course.programs.push(Program { heading: heading.to_owned(), text, error: None });
            }
        }
        course
    }

    /// Writes the package of the reader, with each program as a binary.
    fn write(&self, package: &Path) {
        let sources = package.join("src");
        // Programs of an earlier page would be built too.
        if sources.exists() {
            fs::remove_dir_all(&sources).unwrap();
        }
        fs::create_dir_all(sources.join("bin")).unwrap();
        let manifest = "[package]\nname = \"course\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\nfutures = \"0.3\"\n\n[lints.rust]\nwarnings = \"deny\"\n";
        fs::write(package.join("Cargo.toml"), manifest).unwrap();
        // With the versions of this package, cargo downloads nothing.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        fs::copy(lock, package.join("Cargo.lock")).unwrap();
        fs::write(sources.join("lib.rs"), &self.library).unwrap();
        for (i, program) in self.programs.iter().enumerate() {
            fs::write(sources.join("bin").join(name(i)).with_extension("rs"), &program.text)
                .unwrap();
        }
    }
}

/// The name of a program's binary.
fn name(i: usize) -> String {
    format!("program_{i:02}")
}

/// Adds a block to a program: items below it, statements to the end of its `main`.
fn add(program: &str, block: &str) -> String {
    let items = ["async ", "const ", "enum ", "fn ", "impl", "struct ", "trait ", "use "];
    if items.iter().any(|item| block.starts_with(item)) {
        return format!("{program}\n{block}");
    }
    let main = program.strip_suffix("}\n").expect(program);
    assert_eq!(main.rsplit_once("\nfn ").unwrap().1.lines().next(), Some("main() {"), "{program}");
    format!("{main}{block}}}\n")
}

/// The result of building a package.
#[derive(Default)]
struct Built {
    /// The executables of the programs that compile, by their names.
    executables: BTreeMap<String, PathBuf>,
    /// The errors of the others.
    errors: BTreeMap<String, String>,
}

fn build(package: &Path) -> Built {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--keep-going", "--message-format=json"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .unwrap();
    let mut built = Built::default();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let target = message["target"]["name"].as_str().unwrap_or_default().to_owned();
        if let Some(executable) = message["executable"].as_str() {
            built.executables.insert(target, executable.into());
        } else if message["message"]["level"] == "error" {
            let text = message["message"]["rendered"].as_str().unwrap();
            *built.errors.entry(target).or_default() += text;
        }
    }
    assert!(!built.executables.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    built
}

/// Waits for a program of the course. Returns whether it succeeded within the limit.
fn succeeds(mut child: Child) -> bool {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The first line of the page's error that the compiler does not report, if any. Other
/// compilers than the pinned one may differ below the first line.
fn missing<'a>(shown: &'a str, text: &str) -> Option<&'a str> {
    let pinned = env::var_os("ONWARD_PINNED_COMPILER").is_some();
    let shown = shown.lines().filter(|line| *line != "…");
    let mut rest = text.lines();
    shown
        .take(if pinned { usize::MAX } else { 1 })
        .find(|line| !rest.any(|there| is_same(line, there)))
}

/// Compares a line of the page and a line of the compiler, without line numbers.
fn is_same(shown: &str, there: &str) -> bool {
    let code =
        |line: &str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).to_owned();
    code(shown) == code(there)
}

fn try_all(course: &Course, package: &str) {
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(package);
    course.write(&package);
    let built = build(&package);
    assert_eq!(built.errors.get("course"), None, "the library of the course does not compile");
    let mut faults = Vec::new();
    for (i, Program { heading, text, error }) in course.programs.iter().enumerate() {
        let fault = match (error, built.errors.get(&name(i)), built.executables.get(&name(i))) {
            (None, None, Some(executable)) => {
                let child = Command::new(executable).stdout(Stdio::null()).spawn().unwrap();
                if succeeds(child) {
                    continue;
                }
                format!("it fails, or runs for {LIMIT:?}")
            }
            (None, error, _) => format!("it does not compile: {error:?}"),
            (Some(_), None, _) => "it compiles".to_owned(),
            (Some(shown), Some(error), _) => match missing(shown, error) {
                None => continue,
                Some(line) => format!("the page shows {line}, and the compiler\n{error}"),
            },
        };
        faults.push(format!("{heading}: {fault}\n\n{text}"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_program_of_the_course_does_what_the_page_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/typestate.md");
    let course = Course::read(&fs::read_to_string(page).unwrap());
    let errors = course.programs.iter().filter(|program| program.error.is_some()).count();
    assert!(course.programs.len() >= 30 && errors >= 12, "{} {errors}", course.programs.len());
    try_all(&course, "course");
}

#[test]
fn an_open_door_cannot_be_locked() {
    let text = include_str!("../examples/00_door.rs");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("    //open.")).unwrap();
    let error = lines[at - 1].trim_start_matches("    // ");
    let wrong = text.replace("//open.", "open.");
    let course = Course {
        library: String::new(),
        programs: vec![
            Program { heading: "the door".to_owned(), text: wrong, error: Some(error.to_owned()) },
            Program { heading: "the door".to_owned(), text: text.to_owned(), error: None },
        ],
    };
    try_all(&course, "door");
}

#[test]
fn the_course_has_no_hidden_lines() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/typestate.md");
    let page = fs::read_to_string(page).unwrap();
    let hidden = page.split("```rust").skip(1).flat_map(|rest| {
        let block = rest.split("```").next().unwrap();
        block.lines().filter(|line| *line == "#" || line.starts_with("# "))
    });
    assert_eq!(hidden.collect::<Vec<_>>(), Vec::<&str>::new());
}
