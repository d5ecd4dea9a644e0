//! The README: its agent is the example, and the example runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[allow(dead_code)] // its `main` is not called
#[path = "../examples/timer.rs"]
mod timer;

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use agent_kit::task_file::TaskFile;
use clap::Parser as _;

const README: &str = include_str!("../README.md");

/// Returns the first block of code in this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_agent_of_the_readme_is_the_example() {
    assert_eq!(block("rust,no_run"), include_str!("../examples/timer.rs"));
}

#[test]
fn the_task_file_of_the_readme_is_valid_for_its_agent() {
    let dir = std::env::temp_dir();
    let file = TaskFile::<timer::Timer>::parse("tasks.toml", block("toml"), &dir).unwrap();
    assert_eq!(file.tasks.iter().map(|task| &*task.name).collect::<Vec<_>>(), ["tea", "eggs"]);
}

#[test]
fn the_agent_of_the_readme_runs_its_demo_to_the_end() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let arguments = timer::Arguments::parse_from(["timer", "run", "--logs", "--strict"]);
        tell.send(format!("{:?}", timer::run(arguments)))
    });
    let code = told.recv_timeout(Duration::from_secs(60)).expect("the demo has not ended");
    assert_eq!(code, format!("{:?}", ExitCode::SUCCESS));
}
