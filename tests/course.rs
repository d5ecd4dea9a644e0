//! The course, `docs/typestate.md`, as a reader follows it.
//!
//! Each block is compiled without a warning, and each program is run. The errors on the
//! page are compared with those of the compiler. `course/page.rs` has the rules by which
//! the page is read. `examples/00_door.rs` is tried here too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

#[path = "course/page.rs"]
mod page;

use page::{Package, Program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a program of the course may run.
const LIMIT: Duration = Duration::from_secs(60);

/// The name of a program's binary.
fn name(i: usize) -> String {
    format!("program_{i:02}")
}

/// Writes a package to a folder, with each program as a binary.
fn write(package: &Package, folder: &Path) {
    // Programs of an earlier page would be built too.
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    let sources = folder.join("src");
    fs::create_dir_all(sources.join("bin")).unwrap();
    let manifest = "[package]\nname = \"course\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nfutures = \"0.3\"\n\n[lints.rust]\nwarnings = \"deny\"\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // With the versions of this package, cargo downloads nothing.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    if !package.library.is_empty() {
        fs::write(sources.join("lib.rs"), &package.library).unwrap();
    }
    for (i, program) in package.programs.iter().enumerate() {
        let path = sources.join("bin").join(name(i)).with_extension("rs");
        fs::write(path, &program.text).unwrap();
    }
}

/// The result of building a package.
#[derive(Default)]
struct Built {
    /// The executables of the programs that compile, by their names.
    executables: BTreeMap<String, PathBuf>,
    /// The errors of the library and of the programs, by their names.
    errors: BTreeMap<String, Vec<String>>,
}

/// Builds the package in a folder. All packages share the libraries that they use.
fn build(folder: &Path) -> Built {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--keep-going", "--message-format=json"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.with_file_name("target"))
        .output()
        .unwrap();
    let mut built = Built::default();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let target = message["target"]["name"].as_str().unwrap_or_default().to_owned();
        let error = &message["message"];
        if let Some(executable) = message["executable"].as_str() {
            built.executables.insert(target, executable.into());
        } else if error["level"] == "error" {
            let text = error["rendered"].as_str().unwrap().to_owned();
            built.errors.entry(target).or_default().push(text);
        }
    }
    let is_built = output.status.success() || !built.errors.is_empty();
    assert!(is_built, "{}", String::from_utf8_lossy(&output.stderr));
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

/// Compares the error that the page shows with those of the compiler.
fn compare(shown: Option<&str>, errors: &[String]) -> Result<(), String> {
    // If there is an error, an unused variable is a warning for the reader.
    let errors = errors.iter().map(String::as_str);
    let errors: Vec<&str> =
        errors.filter(|error| shown.is_none() || error.starts_with("error[")).collect();
    match (shown, errors.as_slice()) {
        (None, []) => Ok(()),
        (None, errors) => Err(format!("it does not compile:\n{}", errors.concat())),
        (Some(_), []) => Err("it compiles".to_owned()),
        (Some(shown), [error]) => match missing(shown, error) {
            None => Ok(()),
            Some(line) => Err(format!("the page shows {line}, and the compiler\n{error}")),
        },
        (Some(_), errors) => {
            Err(format!("the page shows one error of {}:\n{}", errors.len(), errors.concat()))
        }
    }
}

/// Builds a package in a folder, and runs its programs. Returns the differences from the page.
fn faults(package: &Package, folder: &Path) -> Vec<String> {
    write(package, folder);
    let built = build(folder);
    let errors = |name: &str| built.errors.get(name).map_or(&[][..], Vec::as_slice);
    let mut faults = Vec::new();
    if let Err(fault) = compare(package.error.as_deref(), errors("course")) {
        faults.push(format!("{}: {fault}\n\n{}", package.heading, package.library));
        return faults;
    }
    for (i, Program { heading, text, error }) in package.programs.iter().enumerate() {
        let mut result = compare(error.as_deref(), errors(&name(i)));
        if result.is_ok() && error.is_none() {
            let mut command = Command::new(&built.executables[&name(i)]);
            if !succeeds(command.stdout(Stdio::null()).spawn().unwrap()) {
                result = Err(format!("it fails, or runs for {LIMIT:?}"));
            }
        }
        if let Err(fault) = result {
            faults.push(format!("{heading}: {fault}\n\n{text}"));
        }
    }
    faults
}

fn try_all(packages: &[Package], name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let folders = (0..).map(|i| folder.join(format!("package_{i}")));
    let faults: Vec<String> = packages
        .iter()
        .zip(folders)
        .flat_map(|(package, folder)| faults(package, &folder))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_program_of_the_course_does_what_the_page_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/typestate.md");
    let packages = page::read(&fs::read_to_string(page).unwrap());
    let programs = || packages.iter().flat_map(|package| &package.programs);
    let errors = programs().filter(|program| program.error.is_some()).count();
    assert!(programs().count() >= 30 && errors >= 12, "{} {errors}", programs().count());
    try_all(&packages, "course");
}

#[test]
fn an_open_door_cannot_be_locked() {
    let text = include_str!("../examples/00_door.rs");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("    //open.")).unwrap();
    let error = lines[at - 1].trim_start_matches("    // ");
    let program = |text: &str, error| Program {
        heading: "the door".to_owned(),
        text: text.to_owned(),
        error,
    };
    let wrong = program(&text.replace("//open.", "open."), Some(error.to_owned()));
    let programs = vec![wrong, program(text, None)];
    try_all(&[Package { programs, ..Package::default() }], "door");
}
