//! `docker service logs` from a node of a real swarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use support::program::{LIMIT, Worker, until};
use support::swarm::{Swarm, swarm};

fn logs(swarm: &Swarm, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut command = Command::new("docker");
    command.args(["--host", swarm.host(), "service", "logs", "--raw"]).args(arguments);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    (lines(&done.stdout), lines(&done.stderr))
}

#[test]
fn lines_of_both_streams_are_read_by_number_by_time_and_by_task() {
    let Some(swarm) = swarm("lines_of_both_streams_are_read_by_number_by_time_and_by_task") else {
        return;
    };
    let worker = Worker::start(&swarm, "logs");
    let line =
        "for i in 1 2 3; do echo out $i; done; echo err >&2; sleep 3; echo late; exec sleep 1000";
    let service = worker.create("web", &["--init", "bb:1", "sh", "-c", line]);
    let task = swarm.running(&service, 1)[0].id().to_owned();
    until("all lines are there", || {
        let (out, err) = logs(&swarm, &[&service]);
        (out == ["out 1", "out 2", "out 3", "late"] && err == ["err"]).then_some(())
    });
    assert_eq!(logs(&swarm, &[&task]).0.len(), 4);
    assert_eq!(logs(&swarm, &["--tail", "1", &service]), (vec!["late".to_owned()], vec![]));
    assert_eq!(logs(&swarm, &["--tail", "0", &service]), (vec![], vec![]));
    let (out, _) = logs(&swarm, &["--timestamps", "--tail", "1", &service]);
    let (time, text) = out[0].split_once(' ').unwrap();
    assert_eq!(text, "late");
    assert_eq!(logs(&swarm, &["--since", time, &service]), (vec!["late".to_owned()], vec![]));
}

#[test]
fn a_reader_follows_all_tasks_of_a_service() {
    let Some(swarm) = swarm("a_reader_follows_all_tasks_of_a_service") else { return };
    let worker = Worker::start(&swarm, "follow");
    let line = "i=0; while :; do i=$((i+1)); echo $HOSTNAME $i; sleep 0.2; done";
    let service = worker.create("web", &["--init", "--replicas", "2", "bb:1", "sh", "-c", line]);
    swarm.running(&service, 2);
    let mut command = Command::new("docker");
    command.args(["--host", swarm.host(), "service", "logs", "--follow", "--raw", &service]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, received) = mpsc::channel();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    while seen.len() < 2 || seen.values().any(|count| *count < 20) {
        let line = received.recv_timeout(LIMIT).expect("no more lines within the limit");
        let (host, number) = line.split_once(' ').unwrap();
        let next = seen.entry(host.to_owned()).or_default();
        *next += 1;
        assert_eq!(number.parse(), Ok(*next), "no line is missing, and none comes twice");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Another reader is answered as if nothing had happened.
    assert!(!logs(&swarm, &["--tail", "2", &service]).0.is_empty());
}

#[test]
fn the_log_of_a_task_that_is_not_there_any_more_ends() {
    let Some(swarm) = swarm("the_log_of_a_task_that_is_not_there_any_more_ends") else { return };
    let worker = Worker::start(&swarm, "gone");
    let never = worker.create("never", &["--restart-condition", "none", "missing-image:1"]);
    swarm.ended(&never);
    let (out, err) = logs(&swarm, &[&never]);
    assert_eq!(out, Vec::<String>::new());
    assert!(err.len() <= 1, "{err:?}");
}

#[test]
fn a_reader_is_told_why_a_log_cannot_be_read() {
    let Some(swarm) = swarm("a_reader_is_told_why_a_log_cannot_be_read") else { return };
    let worker = Worker::start(&swarm, "unread");
    let service =
        worker.create("web", &["--log-driver", "none", "--init", "bb:1", "sleep", "1000"]);
    swarm.running(&service, 1);
    let (_, err) = logs(&swarm, &[&service]);
    assert!(err.concat().contains("the log of this task cannot be read to its end"), "{err:?}");
}
