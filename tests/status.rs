//! The status of a task after each event, and its JSON form.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use onward::lifecycle::{
    AnyTask, ContainerStatus, Event, Failure, PortConfig, PortStatus, Protocol, PublishMode, Task,
    TaskState, TaskStatus, state,
};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime};

const THEN: UtcDateTime = UtcDateTime::UNIX_EPOCH;

fn now() -> UtcDateTime {
    THEN + Duration::HOUR
}

fn container(id: &str, exit_code: i32) -> ContainerStatus {
    let exit_code = Some(exit_code).filter(|code| *code != 0);
    ContainerStatus { container_id: id.into(), pid: Some(7), exit_code }
}

/// A status with a value in every field.
fn full(state: TaskState) -> TaskStatus {
    let mut status = TaskStatus::new(state);
    status.timestamp = Some(THEN);
    status.message = "carried over".into();
    status.err = Some("earlier trouble".into());
    status.container_status = Some(container("old", 2));
    status.port_status =
        [PortConfig { target_port: 80, ..PortConfig::default() }].into_iter().collect();
    status
}

fn after(state: TaskState, event: Event) -> TaskStatus {
    let mut task = AnyTask::resume(full(state));
    task.advance(event, now()).unwrap();
    task.status()
}

fn failure() -> Failure {
    Failure::new("disk full").with_exit_code(137)
}

#[test]
fn a_successful_move_sets_the_message_clears_the_error_and_keeps_the_rest() {
    let messages = [
        (TaskState::New, Event::Allocated, "pending task scheduling"),
        (TaskState::Pending, Event::Assigned, "scheduler assigned task to node"),
        (TaskState::Assigned, Event::Accepted, "accepted"),
        (TaskState::Accepted, Event::Preparing, "preparing"),
        (TaskState::Preparing, Event::Prepared, "prepared"),
        (TaskState::Ready, Event::Starting, "starting"),
        (TaskState::Starting, Event::Started, "started"),
        (TaskState::Running, Event::Finished, "finished"),
        (TaskState::Running, Event::ShutDown, "shutdown"),
        (TaskState::Running, Event::Terminated, "terminated"),
        (TaskState::Running, Event::Orphaned, "orphaned"),
    ];
    for (from, event, message) in messages {
        let to = event.kind().leads_to(from).unwrap();
        let mut expected = full(to);
        expected.timestamp = Some(now());
        expected.message = message.into();
        expected.err = None;
        assert_eq!(after(from, event), expected);
    }
}

#[test]
fn a_failure_keeps_the_message_of_the_last_step_and_records_the_exit_code() {
    let mut expected = full(TaskState::Failed);
    expected.timestamp = Some(now());
    expected.err = Some("disk full".into());
    expected.container_status = Some(container("old", 137));
    assert_eq!(after(TaskState::Running, Event::Failed(Box::new(failure()))), expected);
    expected.state = TaskState::Rejected;
    assert_eq!(after(TaskState::Preparing, Event::Failed(Box::new(failure()))), expected);
}

#[test]
fn a_failure_with_a_container_status_records_it_with_the_exit_code() {
    let failure = failure().with_container_status(container("new", 9));
    let status = after(TaskState::Running, Event::Failed(Box::new(failure)));
    assert_eq!(status.container_status, Some(container("new", 137)));
}

#[test]
fn an_exit_code_of_a_task_without_a_container_is_not_lost() {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Running));
    task.advance(Event::Failed(Box::new(failure())), now()).unwrap();
    let expected = ContainerStatus { exit_code: Some(137), ..ContainerStatus::default() };
    assert_eq!(task.container_status(), Some(&expected));
}

#[test]
fn a_failure_without_an_exit_code_adds_none() {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Running));
    let failure = Failure::new("x").with_exit_code(0);
    task.advance(Event::Failed(Box::new(failure)), now()).unwrap();
    assert_eq!(task.container_status(), None);
}

#[test]
fn a_delay_records_the_error_and_no_exit_code() {
    let mut expected = full(TaskState::Running);
    expected.timestamp = Some(now());
    expected.err = Some("disk full".into());
    assert_eq!(after(TaskState::Running, Event::Delayed(Box::new(failure()))), expected);
}

#[test]
fn a_delay_records_the_container_status_from_starting_on() {
    let known = || Box::new(failure().with_container_status(container("new", 9)));
    for state in TaskState::ALL.into_iter().filter(|state| !state.is_terminal()) {
        let told = after(state, Event::Delayed(known())).container_status;
        let expected = if state < TaskState::Starting { ("old", 2) } else { ("new", 9) };
        assert_eq!(told, Some(container(expected.0, expected.1)), "{state}");
    }
}

#[test]
fn a_container_status_with_any_value_is_not_empty() {
    let empty = ContainerStatus::default();
    assert!(empty.is_empty());
    assert!(!ContainerStatus { container_id: "x".into(), ..empty.clone() }.is_empty());
    assert!(!ContainerStatus { pid: Some(1), ..empty.clone() }.is_empty());
    assert!(!ContainerStatus { exit_code: Some(1), ..empty.clone() }.is_empty());
    // The JSON form cannot distinguish these from an empty one.
    assert!(ContainerStatus { pid: Some(0), exit_code: Some(0), ..empty.clone() }.is_empty());
    // An empty container status counts as none, whatever sets it.
    let mut status = full(TaskState::Running);
    status.container_status = Some(empty.clone());
    assert_eq!(AnyTask::resume(status.clone()).container_status(), None);
    assert!(!serde_json::to_string(&status).unwrap().contains("ContainerStatus"));
    let failure = Failure::new("x").with_container_status(empty);
    assert_eq!(after(TaskState::Running, Event::Failed(Box::new(failure))).container_status, None);
}

#[test]
fn a_delay_with_the_same_error_changes_nothing() {
    let same = Failure::new("earlier trouble");
    let status = after(TaskState::Running, Event::Delayed(Box::new(same)));
    assert_eq!(status, full(TaskState::Running));
}

#[test]
fn an_interruption_changes_nothing() {
    let status = after(TaskState::Running, Event::Interrupted(Box::new(failure())));
    assert_eq!(status, full(TaskState::Running));
}

#[test]
fn an_interruption_records_the_container_status_from_starting_on() {
    let known = || Box::new(failure().with_container_status(container("new", 9)));
    let status = after(TaskState::Preparing, Event::Interrupted(known()));
    assert_eq!(status, full(TaskState::Preparing));

    let mut expected = full(TaskState::Starting);
    expected.timestamp = Some(now());
    expected.container_status = Some(container("new", 9));
    assert_eq!(after(TaskState::Starting, Event::Interrupted(known())), expected);
}

#[test]
fn a_failed_resolution_records_no_exit_code() {
    let ends = [
        (TaskState::Assigned, TaskState::Rejected),
        (TaskState::Ready, TaskState::Rejected),
        (TaskState::Starting, TaskState::Failed),
        (TaskState::Running, TaskState::Failed),
        (TaskState::Complete, TaskState::Complete),
        (TaskState::Remove, TaskState::Remove),
    ];
    for (from, to) in ends {
        let mut expected = full(to);
        expected.timestamp = Some(now());
        expected.message = "resolving controller failed".into();
        expected.err = Some("disk full".into());
        assert_eq!(after(from, Event::Unresolved(Box::new(failure()))), expected);
    }
}

#[test]
fn a_failed_resolution_changes_an_ended_task_if_its_message_or_error_differs() {
    let (unresolved, full_disk) = ("resolving controller failed", "disk full");
    for message in ["earlier", unresolved] {
        for err in ["earlier trouble", full_disk] {
            let mut status = full(TaskState::Complete);
            (status.message, status.err) = (message.into(), Some(err.into()));
            let mut task = AnyTask::resume(status.clone());
            task.advance(Event::Unresolved(Box::new(failure())), now()).unwrap();

            let is_news = (message, err) != (unresolved, full_disk);
            let expected = if is_news { Some(now()) } else { status.timestamp };
            assert_eq!((task.message(), task.err()), (unresolved, Some(full_disk)));
            assert_eq!(task.timestamp(), expected, "{message}, {err}");
            assert_eq!(task.take_changed().is_some(), is_news, "{message}, {err}");
        }
    }
}

#[test]
fn an_inspection_is_noted_if_it_differs() {
    let mut task = AnyTask::resume(full(TaskState::Running));
    task.inspected(None, None, now());
    task.inspected(Some(container("old", 2)), Some(task.port_status().clone()), now());
    assert_eq!(task.status(), full(TaskState::Running));

    task.inspected(Some(container("new", 0)), None, now());
    assert_eq!(task.timestamp(), Some(now()));
    assert_eq!(task.container_status(), Some(&container("new", 0)));

    task.inspected(Some(ContainerStatus::default()), Some(PortStatus::default()), now());
    assert_eq!(task.container_status(), None);
    assert!(task.port_status().is_empty());
}

#[test]
fn a_new_task_has_an_empty_status() {
    let task: AnyTask = Task::<state::New>::default().into();
    assert_eq!(task.status(), TaskStatus::new(TaskState::New));
    assert_eq!(task.message(), "");
    assert_eq!(task.err(), None);
}

fn read(json: &str) -> Result<TaskStatus, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_status_is_serialized_with_its_fields_in_the_order_of_the_api() {
    let mut status = full(TaskState::Running);
    status.port_status.ports[0] = PortConfig {
        name: "web".into(),
        protocol: Protocol::Udp,
        target_port: 80,
        published_port: 30080,
        publish_mode: PublishMode::Host,
    };
    status.timestamp = Some(now() + Duration::milliseconds(20));
    let printed = serde_json::to_string(&status).unwrap();
    assert_eq!(
        printed,
        r#"{"Timestamp":"1970-01-01T01:00:00.02Z","State":"running","Message":"carried over","Err":"earlier trouble","ContainerStatus":{"ContainerID":"old","PID":7,"ExitCode":2},"PortStatus":{"Ports":[{"Name":"web","Protocol":"udp","TargetPort":80,"PublishedPort":30080,"PublishMode":"host"}]}}"#
    );
    assert_eq!(read(&printed), Ok(status));
    assert_eq!(
        serde_json::to_string(&TaskStatus::new(TaskState::New)).unwrap(),
        r#"{"Timestamp":"0001-01-01T00:00:00Z","State":"new","PortStatus":{}}"#
    );
}

#[test]
fn a_status_survives_a_format_that_counts_fields() {
    let mut all = full(TaskState::Running);
    all.timestamp = Some(now());
    for status in [all, TaskStatus::new(TaskState::New)] {
        let mut bytes = Vec::new();
        ciborium::into_writer(&status, &mut bytes).unwrap();
        assert_eq!(ciborium::from_reader::<TaskStatus, _>(bytes.as_slice()).unwrap(), status);
    }
}

#[test]
fn an_error_without_text_is_none() {
    for empty in [Event::failed(""), Event::delayed(""), Event::Unresolved(Box::new("".into()))] {
        assert_eq!(after(TaskState::Running, empty).err, None);
    }
    let mut status = full(TaskState::Running);
    status.err = Some("".into());
    assert_eq!(AnyTask::resume(status).err(), None);
    assert_eq!(read(r#"{"State":"running","Err":""}"#).unwrap().err, None);
}

#[test]
fn an_unknown_number_is_written_as_zero_and_read_as_none() {
    let printed = |container: ContainerStatus| {
        let mut status = TaskStatus::new(TaskState::Running);
        status.container_status = Some(container);
        serde_json::to_value(&status).unwrap()["ContainerStatus"].clone()
    };
    let unknown = ContainerStatus { container_id: "c".into(), pid: None, exit_code: None };
    let zeros = json!({"ContainerID": "c", "PID": 0, "ExitCode": 0});
    assert_eq!(printed(unknown.clone()), zeros);
    assert_eq!(printed(ContainerStatus { exit_code: Some(0), ..unknown.clone() }), zeros);

    for state in TaskState::ALL {
        let read = |container: Value| {
            let json = json!({"State": state.as_str(), "ContainerStatus": container});
            read(&json.to_string()).unwrap().container_status
        };
        let exit_code = (state == TaskState::Complete).then_some(0);
        assert_eq!(read(zeros.clone()), Some(ContainerStatus { exit_code, ..unknown.clone() }));
        let three = json!({"ContainerID": "c", "PID": 7, "ExitCode": 3});
        assert_eq!(read(three), Some(container("c", 3)), "{state}");
        let empty = json!({"ContainerID": "", "PID": 0, "ExitCode": 0});
        assert_eq!(read(empty), None, "{state}");
    }
}

#[test]
fn ports_have_an_order_and_names() {
    let port = |target_port, protocol| PortConfig { target_port, protocol, ..Default::default() };
    let mut ports = [port(2, Protocol::Tcp), port(1, Protocol::Udp), port(1, Protocol::Tcp)];
    ports.sort();
    assert_eq!(ports, [port(1, Protocol::Tcp), port(2, Protocol::Tcp), port(1, Protocol::Udp)]);
    let names = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(|name| name.to_string());
    assert_eq!(names, ["tcp", "udp", "sctp"]);
    let modes = [PublishMode::Ingress, PublishMode::Host].map(|name| name.to_string());
    assert_eq!(modes, ["ingress", "host"]);
}

#[test]
fn a_task_with_a_port_has_ports() {
    assert!(PortStatus::default().is_empty());
    assert!(!PortStatus::from_iter([PortConfig::default()]).is_empty());
}

#[test]
fn optional_fields_may_be_absent_or_null() {
    let bare = Ok(TaskStatus::new(TaskState::Running));
    for json in [
        r#"{"State":"running"}"#,
        r#"{"State":"running","PortStatus":null,"ContainerStatus":null}"#,
        r#"{"State":"running","PortStatus":{"Ports":null}}"#,
        r#"{"State":"running","PortStatus":{},"ContainerStatus":{}}"#,
        r#"{"Timestamp":"0001-01-01T00:00:00Z","State":"running"}"#,
        r#"{"Timestamp":"1970-01-01T00:00:00Z","State":"running"}"#,
        r#"{"Timestamp":"1970-01-01T02:00:00+02:00","State":"running"}"#,
        r#"{"State":"running","Unknown":[{"deep":[1,2,{}]}]}"#,
    ] {
        assert_eq!(read(json), bare, "{json}");
    }
    let port = read(r#"{"State":"running","PortStatus":{"Ports":[{}]}}"#).unwrap();
    assert_eq!(port.port_status.ports, [PortConfig::default()]);
}

#[test]
fn a_time_is_read_with_any_offset_and_written_in_utc() {
    let read_time = |text: &str| {
        let status = read(&json!({"State": "new", "Timestamp": text}).to_string())?;
        Ok::<_, String>(serde_json::to_value(status).unwrap()["Timestamp"].clone())
    };
    assert_eq!(
        read_time("2026-01-02T03:04:05.000000006+02:00"),
        Ok("2026-01-02T01:04:05.000000006Z".into())
    );
    for new_year in ["2026-01-01T00:00:00Z", "1971-01-01T00:00:00Z", "0002-01-01T00:00:00Z"] {
        assert_eq!(read_time(new_year), Ok(new_year.into()));
    }
    for unset in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"] {
        assert_eq!(read_time(unset), Ok("0001-01-01T00:00:00Z".into()));
    }
    for almost in ["1970-01-01T00:00:01Z", "0001-01-02T00:00:00Z", "1970-01-02T00:00:00Z"] {
        assert_eq!(read_time(almost), Ok(almost.into()));
    }
    assert_eq!(read_time("1970-01-01T00:00:00.5Z"), Ok("1970-01-01T00:00:00.5Z".into()));
    for out_of_range in ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"] {
        let error = read_time(out_of_range).unwrap_err();
        assert!(error.contains("expected a year from 0000 to 9999 in UTC"), "{error}");
    }
}

#[test]
fn the_error_of_a_bad_status_names_the_expected_value() {
    let in_port =
        |field: &str| format!(r#"{{"State":"new","PortStatus":{{"Ports":[{{{field}}}]}}}}"#);
    let in_container = |field: &str| format!(r#"{{"State":"new","ContainerStatus":{{{field}}}}}"#);
    let refusals = [
        ("[]".into(), "invalid type: sequence, expected a task status as a JSON object"),
        ("null".into(), "invalid type: null, expected a task status as a JSON object"),
        ("{}".into(), "missing field `State`"),
        (r#"{"State":"Running"}"#.into(), "did you mean `running`?"),
        (r#"{"State":"completed"}"#.into(), "did you mean `complete`?"),
        (r#"{"State":512}"#.into(), "integer `512`, expected the name of a task state"),
        (r#"{"State":"new","PortStatus":[]}"#.into(), "expected a port status as a JSON object"),
        (r#"{"State":"new","ContainerStatus":["a",1,2]}"#.into(), "expected a container status"),
        (r#"{"State":"new","PortStatus":{"Ports":[[]]}}"#.into(), "expected a published port"),
        (r#"{"State":"new","Timestamp":"now"}"#.into(), "invalid time `now`: expected RFC 3339"),
        (r#"{"State":"new","Timestamp":"2026-01-02 03:04:05Z"}"#.into(), "expected RFC 3339"),
        (r#"{"State":"new","Timestamp":"2026-01-02x03:04:05Z"}"#.into(), "expected RFC 3339"),
        (r#"{"State":"new","State":"new"}"#.into(), "duplicate field `State`"),
        (r#"{"State":"new","Timestamp":12}"#.into(), "expected a time in RFC 3339"),
        (in_port(r#""Protocol":"icmp""#), "unknown protocol `icmp`: expected tcp, udp or sctp"),
        (in_port(r#""Protocol":{"tcp":null}"#), "expected the name of a protocol"),
        (in_port(r#""PublishMode":"vip""#), "unknown publish mode `vip`: expected ingress or host"),
        (in_port(r#""TargetPort":65536"#), "integer `65536`, expected a port from 0 to 65535"),
        (in_port(r#""PublishedPort":-1"#), "integer `-1`, expected a port from 0 to 65535"),
        (in_container(r#""ExitCode":2147483648"#), "integer `2147483648`, expected i32"),
        (in_container(r#""ExitCode":1.5"#), "floating point `1.5`, expected i32"),
        (r#"{"State":"new""#.into(), "EOF while parsing an object"),
        (r#"{"State":"new"} {}"#.into(), "trailing characters"),
    ];
    for (json, expected) in refusals {
        let error = read(&json).expect_err(&json);
        assert!(error.contains(expected), "{json}: {error}");
    }
}
