#![no_main]
//! Task files with any bytes.

use std::collections::BTreeSet;
use std::path::Path;

use agent_kit::{Position, Problem};
use agent_kit::task_file::{TaskFile, TaskFileError, is_name};
use libfuzzer_sys::fuzz_target;
use process_agent::definition::ProcessDefinition;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match TaskFile::<ProcessDefinition>::parse("tasks.toml", text, Path::new("/base")) {
        Ok(file) => {
            let names: BTreeSet<_> = file.tasks.iter().map(|task| &task.name).collect();
            assert_eq!(names.len(), file.tasks.len(), "a name is used twice");
            for task in &file.tasks {
                assert!(is_name(&task.name));
                // The store writes it as JSON.
                let json = serde_json::to_vec(&task.definition).unwrap();
                assert_eq!(task.definition, serde_json::from_slice(&json).unwrap());
            }
        }
        Err(TaskFileError::Invalid { problem: Problem { position, problem, .. }, .. }) => {
            let Position { line, column } = position;
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&line) && column > 0 && !problem.is_empty());
        }
        Err(other) => panic!("{other}"),
    }
});
