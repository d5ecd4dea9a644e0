#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

mod files;
mod keys;
mod refusals;

use agent_kit::Translated;

use super::*;

/// The variables of the agent in these tests.
fn env(name: &str) -> Option<String> {
    match name {
        "SET" => Some("set".to_owned()),
        "PORT" => Some("8080".to_owned()),
        "HOME" => Some("/home/me".to_owned()),
        _ => None,
    }
}

/// The tasks of a file in the directory `p`, by name.
fn tasks(text: &str) -> Vec<(String, DockerDefinition)> {
    let tasks = read("p", text, &env).unwrap_or_else(|error| panic!("{error}\n{text}"));
    tasks.into_iter().map(|Translated { name, definition, .. }| (name, definition)).collect()
}

/// The definition that is written in TOML.
fn toml(text: &str) -> DockerDefinition {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A file with one service that has these lines beside its image.
fn service(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!("services:\n  web:\n    image: x\n    {lines}\n")
}
