//! The output of a workload, as its keeper logs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;

use process_agent::{
    keeper::By,
    log::{Follow, MAX_RECORD, Options, Stream, records},
};
use task::{GUARD, Task};
use tokio::sync::watch;

#[tokio::test]
async fn both_streams_are_logged_in_their_order_with_times() {
    let task = Task::shell("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done");
    task.start().await;
    let ended = task.ended().await;
    let expected = |word: &str| (1..=5).map(|i| format!("{word} {i}")).collect::<Vec<_>>();
    assert_eq!(task.lines(Stream::Stdout).await, expected("out"));
    assert_eq!(task.lines(Stream::Stderr).await, expected("err"));
    let stamps: Vec<_> = task.records().await.iter().map(|r| r.at).collect();
    assert!(stamps.is_sorted());
    assert!(stamps.iter().all(|at| *at >= ended.started));
}

#[tokio::test]
async fn binary_output_survives() {
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let task = Task::shell("cat \"$TEST_HOME/bytes\"");
    std::fs::write(task.path("bytes"), &all).unwrap();
    task.start().await;
    assert_eq!(task.code().await, (0, By::Exit));
    let mut read = Vec::new();
    for record in task.records().await {
        assert!(record.bytes.len() <= MAX_RECORD);
        read.extend_from_slice(&record.bytes);
        if !record.partial {
            read.push(b'\n');
        }
    }
    assert_eq!(read, all);
}

#[tokio::test]
async fn a_last_line_without_a_newline_and_a_very_long_line_are_partial() {
    let task = Task::shell("head -c 40000 /dev/zero | tr '\\0' x; echo; printf end");
    task.start().await;
    task.end().await;
    let records = task.records().await;
    let pieces: Vec<_> = records.iter().map(|r| (r.bytes.len(), r.partial)).collect();
    assert_eq!(pieces, [(MAX_RECORD, true), (MAX_RECORD, true), (7232, false), (3, true)]);
}

#[tokio::test]
async fn output_without_a_newline_is_in_the_log_while_the_task_waits() {
    let script = "printf 'name: '; while ! test -e \"$TEST_HOME/go\"; do sleep 0.01; done
        printf x; echo y; echo z";
    let task = Task::shell(script);
    let options = Options { follow: Follow::Forever, ..Options::default() };
    let mut following = records(task.keeper.dir(), options);
    task.start().await;
    let first = tokio::time::timeout(GUARD, following.next()).await;
    let first = first.expect("the prompt is not in the log within the limit").unwrap().unwrap();
    assert_eq!((&first.bytes[..], first.continues, first.partial), (&b"name: "[..], false, true));
    std::fs::write(task.path("go"), "").unwrap();
    task.end().await;
    let records = task.records().await;
    assert_eq!(records[0], first);
    let mut text = Vec::new();
    for record in &records {
        assert!(record.partial || !record.bytes.contains(&b':'));
        text.extend_from_slice(&record.bytes);
        text.extend((!record.partial).then_some(b'\n'));
    }
    assert_eq!(String::from_utf8(text).unwrap(), "name: xy\nz\n");
    // The parts are one line.
    let options = Options { tail: Some(2), ..Options::default() };
    assert_eq!(task.records_with(options).await, records);
    let options = Options { tail: Some(1), ..Options::default() };
    assert_eq!(task.records_with(options).await, records[records.len() - 1..]);
}

#[tokio::test]
async fn a_tail_counts_long_lines_once() {
    let line = "head -c 100000 /dev/zero | tr '\\0' x; echo";
    let task = Task::shell(&format!("echo first; {line}; echo last"));
    task.start().await;
    task.end().await;
    for (tail, lengths) in [(1, &[4][..]), (2, &[100_000, 4]), (3, &[5, 100_000, 4])] {
        let options = Options { tail: Some(tail), ..Options::default() };
        let mut lines = vec![0];
        for record in task.records_with(options).await {
            *lines.last_mut().unwrap() += record.bytes.len();
            lines.extend((!record.partial).then_some(0));
        }
        lines.pop();
        assert_eq!(lines, lengths, "the last {tail}");
    }
}

#[tokio::test]
async fn another_process_that_writes_into_the_pipe_forever_does_not_delay_the_end() {
    let script =
        "echo $$ > \"$TEST_HOME/pid\"; while ! test -e \"$TEST_HOME/go\"; do sleep 0.01; done";
    let task = Task::shell(script);
    task.start().await;
    let pid = task.pid().await;
    // A child of the test, not of the task.
    let pipe = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/1")).unwrap();
    let mut stranger = std::process::Command::new("yes").stdout(pipe).spawn().unwrap();
    task.says("y").await;
    std::fs::write(task.path("go"), "").unwrap();
    let ended = tokio::time::timeout(GUARD, task.keeper.wait()).await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    ended.expect("the keeper did not end within the limit").unwrap();
}

#[tokio::test]
async fn a_follower_sees_every_line_through_all_rotations() {
    let script = "i=1; while test $i -le 10000; do echo line $i; i=$((i+1)); done";
    let task = Task::shell_with(script, |definition| {
        definition.log_max_size = 10_000;
        definition.log_files = 100;
    });
    let (ended, flag) = watch::channel(false);
    let options = Options { follow: Follow::UntilEnded(flag), ..Options::default() };
    let mut following = records(task.keeper.dir(), options);
    let follower = tokio::spawn(async move {
        let mut lines = Vec::new();
        while let Some(record) = following.next().await {
            lines.push(String::from_utf8(record.unwrap().bytes).unwrap());
        }
        lines
    });
    task.start().await;
    task.end().await;
    ended.send(true).unwrap();
    let expected: Vec<_> = (1..=10_000).map(|i| format!("line {i}")).collect();
    assert_eq!(follower.await.unwrap(), expected);
    assert_eq!(task.lines(Stream::Stdout).await, expected);
    assert!(task.keeper.dir().join("log.10").exists());
    assert!(std::fs::metadata(task.keeper.dir().join("log.1")).unwrap().len() <= 10_000);
}

#[tokio::test]
async fn the_output_of_a_daemon_is_in_the_log_when_its_task_has_ended() {
    let script = "
        (setsid sh -c 'echo from the daemon; echo > \"$TEST_HOME/x\"; sleep 1000' &)
        while ! test -e \"$TEST_HOME/x\"; do sleep 0.01; done
    ";
    let task = Task::shell(script);
    task.start().await;
    task.end().await;
    assert_eq!(task.lines(Stream::Stdout).await, ["from the daemon"]);
}
