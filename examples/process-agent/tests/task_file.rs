//! The format of a task file, and the full text of each error.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test fails by panicking

use std::time::Duration;

use std::path::Path;

use agent_kit::task_file::{Desired, TaskFile, TaskFileError};
use process_agent::definition::{Probe, ProcessDefinition};

fn parse(file: &str, text: &str) -> Result<TaskFile<ProcessDefinition>, TaskFileError> {
    TaskFile::parse(file, text, Path::new("/base"))
}

fn check(text: &str, expected: &str) {
    let error = parse("tasks.toml", text).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

/// Checks a task with `command` and one more line, which is line 4.
fn check_line(line: &str, expected: &str) {
    check(&format!("[[task]]\nname = \"web\"\ncommand = [\"true\"]\n{line}\n"), expected);
}

#[test]
fn a_policy_has_defaults() {
    let policy = |more: &str| {
        let text = format!("[[task]]\nname = 'x'\ncommand = ['true']\nstop_grace = '3s'\n{more}");
        parse("f", &text).map(|file| file.tasks[0].policy.clone())
    };
    let grace = |seconds| Some(std::time::Duration::from_secs(seconds));
    let given = onward::agent::Policy::default();
    assert_eq!(policy("").unwrap(), given.clone().with_shutdown_grace(None));
    let set =
        policy("policy = { shutdown_grace = '1s', start_deadline = '5s', retry_jitter = 0.0 }");
    let backoff = given.backoff.with_jitter(0.0).unwrap();
    let expected = given.with_shutdown_grace(grace(1)).with_backoff(backoff);
    assert_eq!(set.unwrap(), expected.with_start_deadline(std::time::Duration::from_secs(5)));
    let error = |more: &str| policy(more).unwrap_err().to_string();
    assert_eq!(
        error("policy = { retry_factor = 0.5 }"),
        "f:5:10: task[0].policy: retry_factor is 0.5: expected a finite number of at least 1"
    );
    assert!(error("policy = { patience = '1s' }").contains("unknown field `patience`"));
    assert!(error("policy = { retry_max = 'soon' }").contains("task[0].policy.retry_max"));
}

#[test]
fn a_file_is_read_with_its_defaults() {
    let text = r#"
        [[task]]
        name = "web"
        command = ["web"]
        ready = { command = ["probe"], timeout = "1s" }

        [[task]]
        name = "job-2"
        command = ["job"]
        desired = "complete"
        stop_after = "2s"
    "#;
    let tasks = parse("tasks.toml", text).unwrap().tasks;
    let [web, job] = tasks.as_slice() else { panic!("{tasks:?}") };
    assert_eq!((web.desired, web.stop_after), (Desired::Running, None));
    let ready = web.definition.ready.clone().unwrap();
    assert_eq!(ready.probe, Probe::Command(vec!["probe".to_owned()]));
    assert_eq!(ready.interval, Duration::from_millis(200));
    assert_eq!(ready.timeout, Duration::from_secs(1));
    assert_eq!(job.desired, Desired::Complete);
    assert_eq!(job.stop_after, Some(Duration::from_secs(2)));
}

#[test]
fn an_empty_file_is_refused_and_an_empty_list_is_not() {
    assert_eq!(parse("x", "task = []").unwrap().tasks, []);
    let emptied = "tasks.toml:1:1: there is no task in it; write [[task]] and its keys below, \
                   or task = [] if there is to be none";
    check("", emptied);
    check("# nothing yet\n", emptied);
}

#[test]
fn a_syntax_error_has_its_place() {
    check_line(
        "stop_grace = ",
        "tasks.toml:4:14: string values must be quoted, expected literal string",
    );
}

#[test]
fn an_unknown_key_lists_the_known_ones() {
    check_line(
        r#"comand = ["x"]"#,
        "tasks.toml:4:1: task[0]: unknown key `comand`; known are `name`, `desired`, `stop_after`, `policy`, `command`, `env`, `dir`, `stop_signal`, `stop_grace`, `prepare`, `ready`, `log_max_size`, `log_files`, `ports`",
    );
}

#[test]
fn an_unknown_key_beside_the_tasks_is_refused() {
    check(
        "tasks = 1\n",
        "tasks.toml:1:1: unknown key `tasks`; a task file has only [[task]] tables",
    );
}

#[test]
fn a_table_instead_of_a_list_is_refused() {
    check(
        "[task]\nname = \"x\"\n",
        "tasks.toml:1:1: task: this is not a list of tasks; write [[task]], with two brackets",
    );
}

#[test]
fn a_wrong_type_names_the_right_one() {
    check_line(
        "env = 3",
        "tasks.toml:4:7: task[0].env: invalid type: integer `3`, expected a table such as { NAME = \"value\" }",
    );
}

#[test]
fn a_command_as_text_is_refused() {
    check(
        "[[task]]\nname = \"web\"\ncommand = \"sleep 60\"\n",
        r#"tasks.toml:3:11: task[0].command: invalid type: string "sleep 60", expected a list of strings such as ["sleep", "60"]"#,
    );
}

#[test]
fn a_missing_command_is_refused() {
    check(
        "[[task]]\nname = \"web\"\n",
        r#"tasks.toml:1:1: task[0]: the task has no `command`; add one such as command = ["sleep", "60"]"#,
    );
}

#[test]
fn a_missing_name_is_refused() {
    check(
        "[[task]]\ncommand = [\"x\"]\n",
        r#"tasks.toml:1:1: task[0]: the task has no `name`; add one such as name = "web""#,
    );
}

#[test]
fn an_empty_command_is_refused() {
    check(
        "[[task]]\nname = \"web\"\ncommand = []\n",
        r#"tasks.toml:3:11: task[0].command: the command is empty; its first word is the executable, as in ["sleep", "60"]"#,
    );
}

#[test]
fn an_empty_prepare_command_is_refused() {
    check_line(
        "prepare = []",
        r#"tasks.toml:4:11: task[0].prepare: the command is empty; its first word is the executable, as in ["sleep", "60"]"#,
    );
}

#[test]
fn the_error_of_a_repeated_name_has_both_places() {
    check(
        "[[task]]\nname = \"web\"\ncommand = [\"x\"]\n[[task]]\nname = \"web\"\ncommand = [\"x\"]\n",
        r#"tasks.toml:5:8: task[1].name: the name "web" is already used at tasks.toml:2:8; give each task a name of its own"#,
    );
}

#[test]
fn a_bad_name_is_refused() {
    check(
        "[[task]]\nname = \"Web/1\"\ncommand = [\"x\"]\n",
        r#"tasks.toml:2:8: task[0].name: "Web/1" is not a task name; use 1 to 63 of a-z, 0-9, '_', '.' and '-', beginning with a letter or a digit"#,
    );
}

#[test]
fn port_0_is_refused() {
    check_line(
        r#"ports = [{ name = "http", published = 0 }]"#,
        "tasks.toml:4:39: task[0].ports[0].published: 0 is not a port; ports are 1 to 65535",
    );
}

#[test]
fn port_70000_is_refused() {
    check_line(
        r#"ports = [{ name = "http", published = 80, target = 70000 }]"#,
        "tasks.toml:4:52: task[0].ports[0].target: 70000 is not a port; ports are 1 to 65535",
    );
}

#[test]
fn both_readiness_kinds_are_refused() {
    check_line(
        r#"ready = { command = ["x"], tcp = "127.0.0.1:80" }"#,
        "tasks.toml:4:9: task[0].ready: both `command` and `tcp` are given; leave out one of them",
    );
}

#[test]
fn an_interval_that_is_too_short_is_refused() {
    for given in ["0s", "9ms"] {
        check_line(
            &format!(r#"ready = {{ tcp = "127.0.0.1:80", interval = "{given}" }}"#),
            &format!("tasks.toml:4:9: task[0].ready: the interval is {given}; give at least 10ms"),
        );
    }
}

#[test]
fn neither_readiness_kind_is_refused() {
    check_line(
        r#"ready = { interval = "1s" }"#,
        r#"tasks.toml:4:9: task[0].ready: neither `command` nor `tcp` is given; write `{ command = [...] }` or `{ tcp = "127.0.0.1:8080" }`"#,
    );
}

#[test]
fn a_readiness_address_without_a_port_is_refused() {
    check_line(
        r#"ready = { tcp = "localhost" }"#,
        r#"tasks.toml:4:9: task[0].ready: "localhost" is not a host with a port; write it like "127.0.0.1:8080""#,
    );
}

#[test]
fn an_unknown_readiness_key_is_refused() {
    check_line(
        r#"ready = { http = "/" }"#,
        "tasks.toml:4:11: task[0].ready.http: unknown field `http`, expected one of `command`, `tcp`, `interval`, `timeout`",
    );
}

#[test]
fn an_unknown_signal_is_refused() {
    check_line(
        r#"stop_signal = "SIGSTOP""#,
        r#"tasks.toml:4:15: task[0].stop_signal: "SIGSTOP" is not a signal that can stop a task; known are HUP, INT, QUIT, ABRT, KILL, USR1, USR2, PIPE, ALRM, TERM, CONT, URG, WINCH, IO, PWR"#,
    );
}

#[test]
fn a_negative_duration_is_refused() {
    check_line(
        r#"stop_grace = "-5s""#,
        r#"tasks.toml:4:14: task[0].stop_grace: "-5s" is not a duration (expected number at 0); write it like "10s", "500ms" or "1m 30s""#,
    );
}

#[test]
fn an_unreadable_duration_is_refused() {
    check_line(
        r#"stop_after = "soon""#,
        r#"tasks.toml:4:14: task[0].stop_after: "soon" is not a duration (expected number at 0); write it like "10s", "500ms" or "1m 30s""#,
    );
}

#[test]
fn a_number_as_a_duration_is_refused() {
    check_line(
        "stop_grace = 10",
        r#"tasks.toml:4:14: task[0].stop_grace: invalid type: integer `10`, expected a duration such as "10s", "500ms" or "1m 30s""#,
    );
}

#[test]
fn an_unreadable_size_is_refused() {
    check_line(
        r#"log_max_size = "big""#,
        r#"tasks.toml:4:16: task[0].log_max_size: "big" is not a size; write it like "64KiB", "10MiB" or 65536"#,
    );
}

#[test]
fn a_negative_size_is_refused() {
    check_line(
        "log_max_size = -1",
        "tasks.toml:4:16: task[0].log_max_size: -1 is not a size for a log; give 4096 (\"4KiB\") to \"1EiB\"",
    );
}

#[test]
fn a_size_below_4_kib_or_beyond_1_eib_is_refused_however_it_is_written() {
    for size in
        ["4095", "0", "\"1B\"", "\"2EiB\"", "9223372036854775807", "\"99999999999999999999PiB\""]
    {
        check_line(
            &format!("log_max_size = {size}"),
            &format!(
                "tasks.toml:4:16: task[0].log_max_size: {size} is not a size for a log; give 4096 (\"4KiB\") to \"1EiB\""
            ),
        );
    }
}

#[test]
fn a_number_that_is_too_large_for_any_type_is_refused_like_any_other() {
    let huge = "99999999999999999999";
    check_line(
        &format!("log_max_size = {huge}"),
        &format!(
            "tasks.toml:4:16: task[0].log_max_size: {huge} is not a size for a log; give 4096 (\"4KiB\") to \"1EiB\""
        ),
    );
    check_line(
        &format!("log_files = {huge}"),
        &format!("tasks.toml:4:13: task[0].log_files: {huge} files cannot be kept; give 0 to 1000"),
    );
    check_line(
        &format!("ports = [{{ name = \"http\", published = {huge} }}]"),
        &format!(
            "tasks.toml:4:39: task[0].ports[0].published: {huge} is not a port; ports are 1 to 65535"
        ),
    );
}

#[test]
fn more_than_1000_log_files_and_less_than_none_are_refused() {
    for number in ["1001", "4000000000", "-1"] {
        check_line(
            &format!("log_files = {number}"),
            &format!(
                "tasks.toml:4:13: task[0].log_files: {number} files cannot be kept; give 0 to 1000"
            ),
        );
    }
    check_line(
        "log_files = \"3\"",
        "tasks.toml:4:13: task[0].log_files: invalid type: string \"3\", expected a number of files from 0 to 1000",
    );
}

#[test]
fn an_invalid_name_of_a_variable_is_refused() {
    for (name, field, shown) in [
        (r#""""#, "env", r#""""#),
        (r#""A=B""#, "env.A=B", r#""A=B""#),
        (r#""A\u0000""#, "env.A", r#""A\0""#),
    ] {
        check_line(
            &format!("env = {{ OK = \"1\", {name} = \"x\" }}"),
            &format!(
                "tasks.toml:4:19: task[0].{field}: {shown} is not the name of a variable; use at least one character, and neither '=' nor NUL"
            ),
        );
    }
}

#[test]
fn a_nul_byte_is_refused_in_every_text_for_another_program() {
    let has_nul = r#""a\0" has a NUL byte, at which the system would cut it off; leave it out"#;
    check_line(r#"env = { A = "a\u0000" }"#, &format!("tasks.toml:4:13: task[0].env.A: {has_nul}"));
    check_line(r#"dir = "a\u0000""#, &format!("tasks.toml:4:7: task[0].dir: {has_nul}"));
    check_line(
        r#"prepare = ["x", "a\u0000"]"#,
        &format!("tasks.toml:4:17: task[0].prepare[1]: {has_nul}"),
    );
    check_line(
        r#"ready = { command = ["x", "a\u0000"] }"#,
        &format!("tasks.toml:4:27: task[0].ready.command[1]: {has_nul}"),
    );
    check(
        "[[task]]\nname = \"web\"\ncommand = [\"a\\u0000\"]\n",
        &format!("tasks.toml:3:12: task[0].command[0]: {has_nul}"),
    );
}

#[test]
fn a_key_that_is_given_twice_is_named() {
    check_line(
        "command = [\"false\"]",
        "tasks.toml:4:1: the key `command` is given twice; leave out one of them",
    );
    check_line(
        "env = { A = \"1\", A = \"2\" }",
        "tasks.toml:4:18: the key `A` is given twice; leave out one of them",
    );
}

#[test]
fn a_file_that_is_too_large_or_has_no_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tasks.toml");
    std::fs::write(&path, "#".repeat((16 << 20) + 1)).unwrap();
    for path in [path.as_path(), "/dev/zero".as_ref()] {
        let error = TaskFile::<ProcessDefinition>::read(path).unwrap_err();
        let expected = format!(
            "{}: the task file is larger than 16777216 bytes; split it into several",
            path.display()
        );
        assert_eq!(error.to_string(), expected);
    }
    std::fs::write(&path, "task = []".to_owned() + &"#".repeat((16 << 20) - 9)).unwrap();
    assert_eq!(TaskFile::<ProcessDefinition>::read(&path).unwrap().tasks, []);
}

#[test]
fn an_unknown_desired_state_is_refused() {
    check_line(
        r#"desired = "started""#,
        "tasks.toml:4:11: task[0].desired: unknown variant `started`, expected one of `ready`, `running`, `complete`, `shutdown`",
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = TaskFile::<ProcessDefinition>::read("/nowhere/tasks.toml".as_ref()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nowhere/tasks.toml: cannot read the task file: No such file or directory (os error 2)"
    );
}

#[test]
fn the_error_of_a_file_that_is_not_utf8_has_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tasks.toml");
    std::fs::write(&path, b"[[task]]\nname = \"w\xe4b\"\n").unwrap();
    let error = TaskFile::<ProcessDefinition>::read(&path).unwrap_err();
    let expected =
        format!("{}:2:10: the byte 0xe4 is not UTF-8; save the file as UTF-8", path.display());
    assert_eq!(error.to_string(), expected);
}
