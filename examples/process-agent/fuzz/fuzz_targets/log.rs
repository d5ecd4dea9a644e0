//! The files of a log with any bytes.
//!
//! The first byte is the number of last lines to read, and the second one selects the streams. The
//! rest are the files, oldest first, separated by bytes 0.
#![no_main]

use std::{cell::LazyCell, fs, path::Path};

use libfuzzer_sys::fuzz_target;
use process_agent::log::{LogError, LogWriter, Options, Record, Stream, records};
use tempfile::TempDir;
use time::UtcDateTime;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static HOME: LazyCell<(TempDir, Runtime)> = LazyCell::new(|| {
        (TempDir::new().unwrap(), Builder::new_current_thread().enable_all().build().unwrap())
    });
}

fuzz_target!(|input: &[u8]| {
    let [tail, streams, text @ ..] = input else { return };
    HOME.with(|home| {
        let (dir, runtime) = &**home;
        let dir = dir.path();
        for entry in fs::read_dir(dir).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let files: Vec<_> = text.splitn(4, |byte| *byte == 0).collect();
        for (number, bytes) in files.iter().rev().enumerate() {
            let name = if number == 0 { "log".to_owned() } else { format!("log.{number}") };
            fs::write(dir.join(name), bytes).unwrap();
            bytes.split(|byte| *byte == b'\n').for_each(check_line);
        }
        let wanted = Options {
            stdout: streams & 1 == 0,
            stderr: streams & 2 == 0,
            joined: streams & 4 == 0,
            ..Options::default()
        };
        let read = |options| runtime.block_on(read(dir, options));
        let whole = read(wanted.clone());
        let all = read(Options { tail: Some(usize::MAX), ..wanted.clone() });
        assert_eq!(whole, all, "a tail of more lines than there are");
        let last = read(Options { tail: Some((*tail).into()), joined: false, ..wanted.clone() });
        let one_by_one = read(Options { joined: false, ..wanted });
        assert!(has_pieces(&one_by_one) || last.len() == one_by_one.len().min((*tail).into()));
        assert!(one_by_one.ends_with(&last) || has_pieces(&one_by_one));
        assert_eq!(output(&whole), output(&one_by_one), "joined and separate records have different output");

        // A writer continues after any content.
        let before = read(Options::default());
        let mut writer = LogWriter::open(dir, 1 << 20, 3).unwrap();
        let (at, stream) = (UtcDateTime::UNIX_EPOCH, Stream::Note);
        let new = Record { at, stream, continues: false, partial: false, bytes: b"new".to_vec() };
        writer.append(&new);
        assert_eq!(writer.error(), None);
        let after = read(Options::default());
        assert_eq!(after.split_last(), Some((&new, &before[..])));
    });
});

/// Checks that a decoded line is the same after encoding and decoding it again.
fn check_line(line: &[u8]) {
    if let Some(record) = Record::from_line(line) {
        let again = record.to_line();
        assert_eq!(Record::from_line(again.strip_suffix(b"\n").unwrap()), Some(record));
    }
}

async fn read(dir: &Path, options: Options) -> Vec<Record> {
    let mut reading = records(dir, options);
    let mut all = Vec::new();
    while let Some(record) = reading.next().await {
        match record {
            Ok(record) => all.push(record),
            Err(LogError::NoRecord { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    all
}

/// Whether a line has several records.
fn has_pieces(records: &[Record]) -> bool {
    records.iter().any(|record| record.continues || record.partial)
}

/// Returns the output of each stream.
fn output(records: &[Record]) -> [Vec<u8>; 3] {
    [Stream::Stdout, Stream::Stderr, Stream::Note].map(|stream| {
        let mut bytes = Vec::new();
        for record in records.iter().filter(|record| record.stream == stream) {
            bytes.extend_from_slice(&record.bytes);
            bytes.extend((!record.partial).then_some(b'\n'));
        }
        bytes
    })
}
