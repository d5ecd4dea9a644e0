//! The recorded behavior of SwarmKit and of a Docker Engine, in `data/`. The published package
//! has neither the data nor this test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "../examples/conformance.rs"]
#[expect(dead_code, reason = "of the program, only its modes are run here")]
mod conformance;

use onward::TaskStatus;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn the_library_agrees_with_every_recorded_case() {
    let cases = include_str!("data/cases.jsonl");
    let missed: Vec<String> =
        cases.lines().flat_map(|line| conformance::case(line).unwrap().1).collect();
    assert_eq!(missed, Vec::<String>::new());
    assert_eq!(cases.lines().count(), 3372);
}

#[test]
fn an_expectation_that_is_not_met_is_missed() {
    let line = include_str!("data/cases.jsonl").lines().next().unwrap();
    for (field, wrong) in [
        ("expect_calls", json!(["prepare"])),
        ("expect_outcome", json!("advanced")),
        ("expect_stamped", json!(true)),
        ("expect_status", json!({"State": "failed"})),
    ] {
        let mut case: Value = serde_json::from_str(line).unwrap();
        case[field] = wrong;
        assert_eq!(conformance::case(&case.to_string()).unwrap().1.len(), 1, "{field}");
    }
}

#[test]
fn every_recorded_status_comes_back_equal() {
    let recordings = include_str!("data/statuses.jsonl");
    let mut seen = BTreeSet::new();
    for line in recordings.lines() {
        let status: TaskStatus = serde_json::from_str(line).unwrap();
        seen.insert(status.state);
        let mut recorded: Value = serde_json::from_str(line).unwrap();
        // An engine prints an empty container status for some tasks that have
        // no container; it counts as none.
        if recorded["ContainerStatus"] == json!({"ContainerID": "", "PID": 0, "ExitCode": 0}) {
            recorded.as_object_mut().unwrap().remove("ContainerStatus");
        }
        assert_eq!(serde_json::to_value(&status).unwrap(), recorded);
    }
    assert_eq!((recordings.lines().count(), seen.len()), (161, 13));
}

/// What the program writes for this input, and whether it is content.
fn statuses(input: &[u8]) -> (String, bool) {
    let mut output = Vec::new();
    let content = conformance::run(conformance::status, input, &mut output).unwrap();
    (String::from_utf8(output).unwrap(), content)
}

#[test]
fn a_line_that_cannot_be_read_is_answered_and_does_not_stop_the_others() {
    let (output, content) = statuses(
        b"{\"State\":\"new\"\n{\"State\":\"\xff\"}\n\n{\"State\":\"new\",\"PortStatus\":{\"Ports\":[{\"TargetPort\":70000}]}}\n{\"State\":\"new\"}",
    );
    assert_eq!(
        output,
        r#"{"error":"line 1: column 14: EOF while parsing an object"}
{"error":"line 2: byte 11: not UTF-8"}
{"error":"line 3: column 1: EOF while parsing a value"}
{"error":"line 4: column 57: PortStatus.Ports[0].TargetPort: invalid value: integer `70000`, expected a port from 0 to 65535"}
{"Timestamp":"0001-01-01T00:00:00Z","State":"new","PortStatus":{}}
"#
    );
    assert!(!content);
}

#[test]
fn absurd_nesting_is_refused_even_in_a_field_that_nobody_reads() {
    let deep = format!(r#"{{"State":"new","X":{}{}}}"#, "[".repeat(9999), "]".repeat(9999));
    let (output, content) = statuses(deep.as_bytes());
    assert!(output.contains("recursion limit exceeded"), "{output}");
    assert!(!content);
}
