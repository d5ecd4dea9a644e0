//! Logs of random records and random bytes: nothing is lost, repeated or reordered, and a tail is
//! the end of the whole.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use process_agent::log::{Follow, LogError, LogWriter, Options, Record, Stream, records};
use proptest::{collection::vec, prelude::*, sample::Index};
use tempfile::TempDir;
use time::UtcDateTime;
use tokio::sync::watch;

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

fn at(second: i64) -> UtcDateTime {
    UtcDateTime::from_unix_timestamp(second).unwrap()
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![4 => Just(Stream::Stdout), 4 => Just(Stream::Stderr), 1 => Just(Stream::Note)]
}

/// Parts of lines in any order, including orders that a keeper would not write, such as a line that
/// is not continued, or a continuation without a beginning.
fn record() -> impl Strategy<Value = Record> {
    (0..6_i64, stream(), any::<bool>(), any::<bool>(), vec(any::<u8>(), 0..20)).prop_map(
        |(second, stream, continues, partial, bytes)| {
            let at = at(second);
            Record { at, stream, continues, partial, bytes }
        },
    )
}

/// Random options for a reader.
fn options() -> impl Strategy<Value = Options> {
    let tail = prop::option::of(0..12_usize);
    let since = prop::option::of((0..6_i64).prop_map(at));
    (any::<bool>(), any::<bool>(), tail, since).prop_map(|(stdout, stderr, tail, since)| Options {
        stdout,
        stderr,
        tail,
        since,
        ..Options::default()
    })
}

/// Cuts `all` at these places.
fn parts<'a, T>(all: &'a [T], cuts: &[Index]) -> Vec<&'a [T]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
    cuts.extend([0, all.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &all[ends[0]..ends[1]]).collect()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guarded = async { tokio::time::timeout(GUARD, future).await };
    runtime
        .block_on(guarded)
        .unwrap_or_else(|_| panic!("the log was not read to its end within the limit"))
}

fn read(dir: &Path, options: Options) -> Vec<Result<Record, LogError>> {
    wait(async {
        let mut records = records(dir, options);
        let mut all = Vec::new();
        while let Some(record) = records.next().await {
            all.push(record);
        }
        all
    })
}

fn read_records(dir: &Path, options: Options) -> Vec<Record> {
    read(dir, options).into_iter().filter_map(Result::ok).collect()
}

/// Selects the wanted records with a simple algorithm.
fn wanted(all: &[Record], options: &Options) -> Vec<Record> {
    let wants = |record: &&Record| match record.stream {
        Stream::Stdout => options.stdout,
        Stream::Stderr => options.stderr,
        Stream::Note => true,
    };
    let recent = |record: &&Record| options.since.is_none_or(|since| record.at >= since);
    let all: Vec<_> = all.iter().filter(wants).filter(recent).cloned().collect();
    let Some(tail) = options.tail else { return all };
    // The line of each record, identified by the place of its last part.
    let mut last_of_line = Vec::new();
    let mut open: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, record) in all.iter().enumerate() {
        last_of_line.push(place);
        let pieces = open.entry(record.stream.name()).or_default();
        if !record.continues {
            pieces.clear();
        }
        for piece in &*pieces {
            last_of_line[*piece] = place;
        }
        if record.partial {
            pieces.push(place);
        } else {
            pieces.clear();
        }
    }
    let mut lines = last_of_line.clone();
    lines.sort_unstable();
    lines.dedup();
    let lines = &lines[lines.len().saturating_sub(tail)..];
    let is_last = |(record, line): (Record, usize)| lines.contains(&line).then_some(record);
    all.into_iter().zip(last_of_line).filter_map(is_last).collect()
}

/// Returns the output of each stream, and the offsets of its line ends.
fn output(records: &[Record]) -> BTreeMap<&'static str, Vec<u8>> {
    let mut output: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for record in records {
        let bytes = output.entry(record.stream.name()).or_default();
        bytes.extend_from_slice(&record.bytes);
        bytes.extend((!record.partial).then_some(b'\n'));
    }
    output
}

proptest! {
    // Failing cases become tests of their own.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn records_are_read_as_written_and_a_tail_is_the_end_of_the_whole(
        all in vec(record(), 0..40),
        cuts in vec(any::<Index>(), 0..5),
        max_size in 1..1000_u64,
        options in options(),
    ) {
        let dir = TempDir::new().unwrap();
        let mut writer = LogWriter::open(dir.path(), max_size, 1000).unwrap();
        for part in parts(&all, &cuts) {
            writer.append_all(part);
        }
        prop_assert_eq!(writer.error(), None);
        prop_assert_eq!(&read_records(dir.path(), Options::default()), &all);
        let expected = wanted(&all, &options);
        prop_assert_eq!(&read_records(dir.path(), options.clone()), &expected);
        let joined = Options { joined: true, ..options };
        prop_assert_eq!(output(&read_records(dir.path(), joined)), output(&expected));
    }

    #[test]
    fn any_bytes_can_be_read_and_a_tail_is_the_end_of_the_whole(
        files in vec(any_file(), 1..4),
        options in options(),
    ) {
        let dir = TempDir::new().unwrap();
        for (number, bytes) in files.iter().enumerate() {
            let name = if number == 0 { "log".to_owned() } else { format!("log.{number}") };
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        let all = read_records(dir.path(), Options::default());
        let errors = read(dir.path(), Options::default()).into_iter().filter_map(Result::err);
        for error in errors {
            prop_assert!(matches!(error, LogError::NoRecord { .. }), "{}", error);
        }
        let expected = wanted(&all, &options);
        prop_assert_eq!(read_records(dir.path(), options), expected);
        // A writer starts a new line, whatever the file contains.
        let mut writer = LogWriter::open(dir.path(), u64::MAX, 1000).unwrap();
        let (at, stream) = (UtcDateTime::UNIX_EPOCH, Stream::Stdout);
        let new = Record { at, stream, continues: false, partial: false, bytes: b"new".to_vec() };
        writer.append(&new);
        let again = read_records(dir.path(), Options::default());
        prop_assert_eq!(again.split_last(), Some((&new, &all[..])));
    }

    #[test]
    fn a_follower_reads_all_records_during_rotation(
        first in vec(record(), 0..10),
        then in vec(record(), 0..50),
        cuts in vec(any::<Index>(), 0..20),
        max_size in 1..400_u64,
        files in 0..4_u32,
        options in options(),
    ) {
        let dir = TempDir::new().unwrap();
        // Always selected, and the last record when the follower starts.
        let (at, stream, bytes) = (at(9), Stream::Note, b"opened".to_vec());
        let opened = Record { at, stream, continues: false, partial: false, bytes };
        let first = [first, vec![opened.clone()]].concat();
        let options = Options { tail: options.tail.map(|lines| lines + 1), ..options };
        // In one file, so that the second writer knows all files.
        LogWriter::open(dir.path(), u64::MAX, 0).unwrap().append_all(&first);
        let mut writer = LogWriter::open(dir.path(), max_size, files).unwrap();
        let (ended, flag) = watch::channel(false);
        let follow = Follow::UntilEnded(flag);
        let mut following = records(dir.path(), Options { follow, ..options.clone() });
        let read = wait(async {
            let mut read = Vec::new();
            while read.last() != Some(&opened) {
                read.push(following.next().await.unwrap().unwrap());
            }
            for part in parts(&then, &cuts) {
                writer.append_all(part);
                tokio::task::yield_now().await;
                if let Some(Some(record)) = futures::FutureExt::now_or_never(following.next()) {
                    read.push(record.unwrap());
                }
            }
            ended.send(true).unwrap();
            while let Some(record) = following.next().await {
                read.push(record.unwrap());
            }
            read
        });
        let since = Options { tail: None, ..options.clone() };
        let expected = [wanted(&first, &options), wanted(&then, &since)].concat();
        let is_gap = |record: &Record| record.bytes.starts_with(b"lines may be missing");
        if !read.iter().any(is_gap) {
            prop_assert_eq!(read, expected);
            return Ok(());
        }
        // Lines are missing only at the note. All others are there, in their order.
        let mut rest = expected.iter();
        for record in read.iter().filter(|record| !is_gap(record)) {
            prop_assert!(rest.any(|expected| expected == record), "{:?} in {:?}", record, read);
        }
    }
}

/// Lines, complete or not. Some of them are records.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => record().prop_map(|record| record.to_line()),
        1 => vec(any::<u8>(), 0..60),
        1 => (record(), any::<Index>(), any::<u8>()).prop_map(|(record, at, byte)| {
            let mut line = record.to_line();
            let at = at.index(line.len());
            line[at] = byte;
            line
        }),
        1 => (record(), any::<Index>()).prop_map(|(record, at)| {
            let mut line = record.to_line();
            line.truncate(at.index(line.len()));
            line
        }),
    ];
    vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// A line that is longer than the reader's buffer.
#[test]
fn a_very_long_line_is_skipped_in_both_directions() {
    for length in [65_000, 131_072, 262_143, 262_144, 262_145, 524_288, 1_000_000] {
        let dir = TempDir::new().unwrap();
        let record = |second| Record {
            at: at(second),
            stream: Stream::Stdout,
            continues: false,
            partial: false,
            bytes: b"x".to_vec(),
        };
        let all: Vec<_> = (1..=4).map(record).collect();
        let line = |n: usize| all[n].to_line();
        let endless = vec![b'x'; length];
        let text = [&line(0), &line(1), &endless[..], b"\n", &line(2), &line(3), b"torn"].concat();
        fs::write(dir.path().join("log"), text).unwrap();
        let whole = read(dir.path(), Options::default());
        assert_eq!(whole.iter().filter(|record| record.is_err()).count(), 1, "{length}");
        assert_eq!(read_records(dir.path(), Options::default()), all);
        for tail in 0..6 {
            let options = Options { tail: Some(tail), ..Options::default() };
            let expected = &all[all.len().saturating_sub(tail)..];
            assert_eq!(read_records(dir.path(), options), expected, "{tail} of {length}");
        }
    }
}
