//! How long it takes to write and to read a log of 60 MB, beside `cat` of the same text over a pipe.
//! `cargo bench -p process-agent --bench log`.
#![allow(clippy::unwrap_used)] // a bench fails by panicking
#![allow(missing_docs)] // for the documentation of `main`

use std::{
    fs,
    future::{pending, ready},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use agent_kit::TaskExecutor as _;
use onward::exec::{LogMessage, LogSubscriptionOptions};
use process_agent::{
    controller::ProcessExecutor,
    definition::ProcessDefinition,
    log::{LogWriter, Options, Record, Stream, records},
};
use time::UtcDateTime;

const TEXT: usize = 60_000_000;
const RUNS: usize = 5;

fn main() {
    let home = tempfile::tempdir().unwrap();
    let (text, dir) = (home.path().join("text"), home.path().join("task"));
    fs::create_dir(&dir).unwrap();
    let lines = write_text(&text);
    let began = Instant::now();
    write_log(&text, &dir);
    println!("{lines} lines, {} MB", TEXT / 1_000_000);
    println!("{:>8.1} ms  written", milliseconds(began.elapsed()));
    report("cat over a pipe", || cat(&text));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    report("read, line by line", || runtime.block_on(read(&dir, false, None)));
    report("read, joined", || runtime.block_on(read(&dir, true, None)));
    report("read, the last 5", || runtime.block_on(read(&dir, false, Some(5))));
    report("published", || runtime.block_on(publish(home.path(), None)));
    report("published, the last 5", || runtime.block_on(publish(home.path(), Some(5))));
}

fn write_text(path: &Path) -> usize {
    let mut text = Vec::new();
    let mut lines = 0;
    while text.len() < TEXT {
        let (item, took) = (lines * 7919 % 1_000_000, lines % 1000);
        text.extend(format!("GET /items/{item} HTTP/1.1 200 in {took} ms from 10.0.0.1\n").bytes());
        lines += 1;
    }
    fs::write(path, text).unwrap();
    lines
}

/// As a keeper writes it that reads 16 KiB at once: these have the same time.
fn write_log(text: &Path, dir: &Path) {
    let mut writer = LogWriter::open(dir, 20_000_000, 100).unwrap();
    let (stream, continues, partial) = (Stream::Stdout, false, false);
    let text = fs::read(text).unwrap();
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while lines.peek().is_some() {
        let at = UtcDateTime::now();
        let record = |line: &[u8]| Record { at, stream, continues, partial, bytes: line.to_vec() };
        let records: Vec<_> = lines.by_ref().take(300).map(record).collect();
        writer.append_all(&records);
    }
}

fn report(what: &str, mut run: impl FnMut() -> usize) {
    let mut best = Duration::MAX;
    let mut count = 0;
    for _ in 0..RUNS {
        let began = Instant::now();
        count = run();
        best = best.min(began.elapsed());
    }
    println!("{:>8.1} ms  {what} ({count})", milliseconds(best));
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn cat(text: &Path) -> usize {
    let mut from = Command::new("cat").arg(text).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = from.stdout.take().unwrap();
    let to = Command::new("cat").stdin(pipe).stdout(Stdio::null()).status().unwrap();
    assert!(to.success() && from.wait().unwrap().success());
    TEXT
}

async fn read(dir: &Path, joined: bool, tail: Option<usize>) -> usize {
    let mut records = records(dir, Options { tail, joined, ..Options::default() });
    let mut bytes = 0;
    while let Some(record) = records.next().await {
        bytes += record.unwrap().bytes.len() + 1;
    }
    bytes
}

async fn publish(root: &Path, tail: Option<u64>) -> usize {
    let options = LogSubscriptionOptions::default();
    let options = tail.map_or(options.clone(), |lines| options.with_tail(lines));
    let mut bytes = 0;
    let publisher = |message: LogMessage| {
        bytes += message.data.len();
        ready(Ok(()))
    };
    let (executor, definition) = (ProcessExecutor::new(root), ProcessDefinition::new(["true"]));
    executor.logs("task", &definition, publisher, options, pending()).await.unwrap();
    bytes
}
