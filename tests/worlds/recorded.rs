//! The recorded worlds of `tests/data/worlds.jsonl`.

use super::verdict;
use serde_json::Value;
use std::fs;

fn recorded() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/worlds.jsonl");
    let text = fs::read_to_string(path).expect(path);
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The recorded world of this name.
pub(super) fn named(name: &str) -> Value {
    let found = recorded().into_iter().find(|world| {
        world["world"].as_str().is_some_and(|world| world.split(' ').next() == Some(name))
    });
    found.unwrap_or_else(|| panic!("no recorded world is called {name}"))
}

#[test]
fn every_recorded_world_keeps_every_rule() {
    let worlds = recorded();
    assert_eq!(worlds.len(), 40);
    let broken: Vec<_> = worlds
        .iter()
        .map(|world| (world, verdict::of(world)))
        .filter(|(_, report)| !report.is_empty())
        .map(|(world, report)| format!("{}: {}\n{}", world["world"], world["why"], report.text()))
        .collect();
    assert!(broken.is_empty(), "{} worlds break a rule\n\n{}", broken.len(), broken.join("\n\n"));
}
