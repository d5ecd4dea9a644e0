//! The numbered examples, each run to its end: what they assert holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

#[path = "../examples/02_any_task.rs"]
mod any_task;
#[path = "../examples/07_checked.rs"]
mod checked;
#[path = "../examples/04_controller.rs"]
mod controller;
#[path = "../examples/00_door.rs"]
mod door;
#[path = "../examples/06_driver.rs"]
mod driver;
#[path = "../examples/09_kinds.rs"]
mod kinds;
#[path = "../examples/03_law.rs"]
mod law;
#[path = "../examples/10_logs.rs"]
mod logs;
#[path = "../examples/12_metrics.rs"]
mod metrics;
#[path = "../examples/05_runtime_free.rs"]
mod runtime_free;
#[path = "../examples/11_threads.rs"]
mod threads;
#[path = "../examples/01_typed.rs"]
mod typed;
#[path = "../examples/08_worker.rs"]
mod worker;

use std::fs;
use std::path::Path;

#[test]
fn door_runs_to_its_end() {
    door::main();
}

#[test]
fn typed_runs_to_its_end() {
    typed::main().unwrap();
}

#[test]
fn any_task_runs_to_its_end() {
    any_task::main().unwrap();
}

#[test]
fn law_runs_to_its_end() {
    law::main().unwrap();
}

#[test]
fn controller_runs_to_its_end() {
    controller::main().unwrap();
}

#[test]
fn runtime_free_runs_to_its_end() {
    runtime_free::main().unwrap();
}

#[test]
fn driver_runs_to_its_end() {
    driver::main().unwrap();
}

#[test]
fn checked_runs_to_its_end() {
    checked::main().unwrap();
}

#[test]
#[cfg_attr(not(unix), ignore = "it runs `sh`")]
fn worker_runs_to_its_end() {
    worker::main().unwrap();
}

#[test]
#[cfg_attr(not(unix), ignore = "it runs `sh`")]
fn kinds_runs_to_its_end() {
    kinds::main().unwrap();
}

#[test]
#[cfg_attr(not(unix), ignore = "it runs `sh`")]
fn logs_runs_to_its_end() {
    logs::main().unwrap();
}

#[test]
fn threads_runs_to_its_end() {
    threads::main().unwrap();
}

#[test]
fn metrics_runs_to_its_end() {
    metrics::main().unwrap();
}

#[test]
fn no_numbered_example_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let names = fs::read_dir(root.join("examples")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbered: Vec<String> =
        names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).collect();
    numbered.sort();
    for (i, file) in numbered.iter().enumerate() {
        let (number, name) = file.strip_suffix(".rs").unwrap().split_once('_').unwrap();
        assert_eq!(number, format!("{i:02}"), "{file}");
        assert!(readme.contains(&format!("(examples/{file})")), "{file} is not in the README");
        let source = include_str!("examples.rs");
        assert!(source.contains(&format!("#[path = \"../examples/{file}\"]\nmod {name};")));
        assert!(source.contains(&format!("fn {name}_runs_to_its_end() {{\n    {name}::main()")));
    }
    assert!(!numbered.is_empty());
}
