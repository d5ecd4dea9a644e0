//! A log that is read while it is written, rotated, damaged and ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

use std::{fs, io::Write as _, path::Path, time::Duration};

use process_agent::log::{Follow, LogError, LogWriter, Options, Record, Records, Stream, records};
use tempfile::TempDir;
use time::UtcDateTime;
use tokio::sync::watch;

fn at(seconds: i64) -> UtcDateTime {
    UtcDateTime::from_unix_timestamp(seconds).unwrap()
}

/// A record with line `n` of second `n`. Even lines are standard error.
fn record(n: i64) -> Record {
    Record {
        at: at(n),
        stream: if n % 2 == 0 { Stream::Stderr } else { Stream::Stdout },
        bytes: n.to_string().into_bytes(),
        continues: false,
        partial: false,
    }
}

/// A log with the lines `1..=last`, in files of about three lines.
fn log(last: i64, files: u32) -> (TempDir, LogWriter) {
    let dir = TempDir::new().unwrap();
    let mut writer = LogWriter::open(dir.path(), 120, files).unwrap();
    (1..=last).for_each(|n| writer.append(&record(n)));
    (dir, writer)
}

async fn next(records: &mut Records) -> Option<i64> {
    let next = tokio::time::timeout(Duration::from_secs(60), records.next()).await;
    let record = next.expect("no record within the limit")?.unwrap();
    Some(String::from_utf8(record.bytes).unwrap().parse().unwrap())
}

async fn rest(mut records: Records) -> Vec<i64> {
    let mut all = Vec::new();
    while let Some(n) = next(&mut records).await {
        all.push(n);
    }
    all
}

async fn check(options: Options, expected: impl IntoIterator<Item = i64>) {
    let (dir, _writer) = log(20, 100);
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(rest(records(dir.path(), options)).await, expected);
}

#[tokio::test]
async fn all_files_are_read_oldest_first() {
    check(Options::default(), 1..=20).await;
}

#[tokio::test]
async fn one_stream_can_be_selected() {
    let options = Options { stdout: false, ..Options::default() };
    check(options, (2..=20).step_by(2)).await;
}

#[tokio::test]
async fn the_last_lines_are_found_across_files() {
    let options = Options { tail: Some(7), ..Options::default() };
    check(options, 14..=20).await;
}

#[tokio::test]
async fn a_tail_of_zero_is_empty_and_a_tail_of_a_thousand_is_everything() {
    check(Options { tail: Some(0), ..Options::default() }, []).await;
    check(Options { tail: Some(1000), ..Options::default() }, 1..=20).await;
}

#[tokio::test]
async fn a_tail_counts_only_selected_lines() {
    let options = Options { tail: Some(2), stdout: false, ..Options::default() };
    check(options, [18, 20]).await;
}

#[tokio::test]
async fn since_skips_earlier_records() {
    let options = Options { since: Some(at(18)), ..Options::default() };
    check(options, 18..=20).await;
}

#[tokio::test]
async fn a_follower_of_the_last_lines_continues_with_new_ones() {
    let (dir, mut writer) = log(20, 100);
    let (ended, flag) = watch::channel(false);
    let options = Options {
        tail: Some(2),
        since: Some(at(3)),
        follow: Follow::UntilEnded(flag),
        ..Options::default()
    };
    let mut following = records(dir.path(), options);
    assert_eq!(next(&mut following).await, Some(19));
    assert_eq!(next(&mut following).await, Some(20));
    (1..=2).chain(21..=40).for_each(|n| writer.append(&record(n)));
    assert_eq!(next(&mut following).await, Some(21));
    ended.send(true).unwrap();
    assert_eq!(rest(following).await, (22..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_follower_can_start_before_the_log_exists() {
    let dir = TempDir::new().unwrap();
    let options = Options { follow: Follow::Forever, ..Options::default() };
    let mut following = records(dir.path(), options);
    let mut first = Box::pin(next(&mut following));
    let waiting = tokio::time::timeout(Duration::from_millis(1), &mut first);
    assert!(waiting.await.is_err());
    let mut writer = LogWriter::open(dir.path(), 120, 3).unwrap();
    writer.append(&record(1));
    assert_eq!(first.await, Some(1));
}

#[tokio::test]
async fn a_dropped_next_loses_no_record() {
    let (dir, mut writer) = log(1, 100);
    let (ended, flag) = watch::channel(false);
    let follow = Follow::UntilEnded(flag);
    let mut following = records(dir.path(), Options { follow, ..Options::default() });
    let mut read = Vec::new();
    for n in 2..=200 {
        writer.append(&record(n));
        tokio::select! {
            biased;
            Some(n) = next(&mut following) => read.push(n),
            () = tokio::task::yield_now() => {}
        }
    }
    ended.send(true).unwrap();
    read.extend(rest(following).await);
    assert_eq!(read, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_follower_ends_when_the_sender_of_the_end_is_dropped() {
    let (dir, _writer) = log(5, 100);
    let follow = Follow::UntilEnded(watch::channel(false).1);
    let following = records(dir.path(), Options { follow, ..Options::default() });
    assert_eq!(rest(following).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_follower_overtaken_by_rotation_reads_the_rest_without_repeating() {
    let (dir, mut writer) = log(3, 1);
    let (ended, flag) = watch::channel(false);
    let follow = Follow::UntilEnded(flag);
    let mut following = records(dir.path(), Options { follow, ..Options::default() });
    assert_eq!(next(&mut following).await, Some(1));
    (4..=30).for_each(|n| writer.append(&record(n)));
    ended.send(true).unwrap();
    let (mut read, mut notes) = (Vec::new(), Vec::new());
    while let Some(record) = following.next().await {
        let record = record.unwrap();
        let text = String::from_utf8(record.bytes).unwrap();
        if record.stream == Stream::Note {
            notes.push((read.len(), text));
        } else {
            read.push(text.parse::<i64>().unwrap());
        }
    }
    assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
    assert_eq!((read.first(), read.last()), (Some(&2), Some(&30)));
    // The note is at the gap: after a file that was held open. Which file depends on how far the
    // reader was.
    let missing = "lines may be missing: the log was rotated faster than it was read";
    assert!(notes.iter().all(|(_, text)| text == missing), "{notes:?}");
    let gaps = (1..read.len()).filter(|place| read[*place] > read[*place - 1] + 1);
    let gaps: Vec<_> = gaps.collect();
    assert!(!gaps.is_empty(), "{read:?}");
    for gap in gaps {
        assert!(notes.iter().any(|(place, _)| *place == gap), "{gap} of {read:?}: {notes:?}");
    }
}

#[tokio::test]
async fn any_number_of_files_may_be_kept() {
    let (dir, _writer) = log(20, u32::MAX);
    assert_eq!(rest(records(dir.path(), Options::default())).await, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stray_file_with_a_high_number_is_read_first_and_costs_nothing() {
    let (dir, _writer) = log(3, 3);
    let stray = dir.path().join("log.4294967295");
    fs::write(stray, record(0).to_line()).unwrap();
    assert_eq!(rest(records(dir.path(), Options::default())).await, [0, 1, 2, 3]);
}

#[test]
fn no_more_than_the_given_number_of_files_is_kept() {
    for files in 0..4 {
        let (dir, _writer) = log(50, files);
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let rotated = (1..=files).map(|n| format!("log.{n}"));
        let expected: Vec<_> = std::iter::once("log".to_owned()).chain(rotated).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_log_that_cannot_be_rotated_grows() {
    let dir = TempDir::new().unwrap();
    let mut writer = LogWriter::open(dir.path(), 1, 1).unwrap();
    fs::create_dir(dir.path().join("log.1")).unwrap();
    (1..=3).for_each(|n| writer.append(&record(n)));
    assert_eq!(writer.error(), None);
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn records_that_are_written_at_once_are_rotated_like_single_ones() {
    let (one_by_one, _writer) = log(20, 100);
    let at_once = TempDir::new().unwrap();
    let mut writer = LogWriter::open(at_once.path(), 120, 100).unwrap();
    writer.append_all(&(1..=20).map(record).collect::<Vec<_>>());
    for n in 0..=7 {
        let name = if n == 0 { "log".to_owned() } else { format!("log.{n}") };
        let text = |dir: &TempDir| fs::read_to_string(dir.path().join(&name)).ok();
        assert_eq!(text(&at_once), text(&one_by_one), "{name}");
    }
}

#[tokio::test]
async fn a_log_that_was_removed_is_created_again() {
    let (dir, mut writer) = log(2, 3);
    let (ended, flag) = watch::channel(false);
    let follow = Follow::UntilEnded(flag);
    let mut following = records(dir.path(), Options { follow, ..Options::default() });
    assert_eq!(next(&mut following).await, Some(1));
    assert_eq!(next(&mut following).await, Some(2));
    fs::remove_file(dir.path().join("log")).unwrap();
    writer.append(&record(3));
    assert_eq!(rest(records(dir.path(), Options::default())).await, [3]);
    // A follower cannot know whether there was another file in between.
    let note = following.next().await.unwrap().unwrap();
    assert_eq!(note.stream, Stream::Note);
    ended.send(true).unwrap();
    assert_eq!(rest(following).await, [3]);
}

#[tokio::test]
async fn a_log_that_was_emptied_is_written_from_its_beginning() {
    let (dir, mut writer) = log(2, 3);
    let (ended, flag) = watch::channel(false);
    let follow = Follow::UntilEnded(flag);
    let mut following = records(dir.path(), Options { follow, ..Options::default() });
    assert_eq!(next(&mut following).await, Some(1));
    assert_eq!(next(&mut following).await, Some(2));
    fs::write(dir.path().join("log"), "").unwrap();
    writer.append(&record(3));
    assert_eq!(rest(records(dir.path(), Options::default())).await, [3]);
    let note = following.next().await.unwrap().unwrap();
    assert_eq!(note.bytes, b"lines may be missing: the log was cut");
    ended.send(true).unwrap();
    assert_eq!(rest(following).await, [3]);
}

fn tear(dir: &Path) {
    let mut file = fs::OpenOptions::new().append(true).open(dir.join("log")).unwrap();
    file.write_all(b"2026-11-22T08:33:59.1234").unwrap();
}

#[tokio::test]
async fn an_incomplete_last_line_is_not_read() {
    let (dir, _writer) = log(2, 3);
    tear(dir.path());
    assert_eq!(rest(records(dir.path(), Options::default())).await, [1, 2]);
}

#[tokio::test]
async fn an_incomplete_last_line_is_deleted_by_the_next_writer() {
    let (dir, writer) = log(2, 3);
    drop(writer);
    tear(dir.path());
    let mut writer = LogWriter::open(dir.path(), 1000, 3).unwrap();
    writer.append(&record(3));
    assert_eq!(rest(records(dir.path(), Options::default())).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_line_that_is_not_a_record_is_reported_and_skipped() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("log"), "hello\n").unwrap();
    let mut writer = LogWriter::open(dir.path(), 1000, 3).unwrap();
    writer.append(&record(1));
    let mut records = records(dir.path(), Options::default());
    let error = records.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, LogError::NoRecord { line, .. } if line == "hello"), "{error}");
    assert_eq!(rest(records).await, [1]);
}

#[tokio::test]
async fn a_log_that_does_not_exist_is_empty_and_can_be_followed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("task");
    assert!(records(&dir, Options::default()).next().await.is_none());

    let follow = Options { follow: Follow::Forever, ..Options::default() };
    let mut following = records(&dir, follow);
    assert!(futures::poll!(std::pin::pin!(following.next())).is_pending());
    std::fs::create_dir(&dir).unwrap();
    LogWriter::open(&dir, 1000, 3).unwrap().append(&record(1));
    let _ = following.next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_log_in_a_file_instead_of_a_directory_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut records = records(file.path(), Options::default());
    let error = records.next().await.unwrap().unwrap_err();
    let path = file.path().display();
    assert_eq!(
        error.to_string(),
        format!("cannot read the log in {path}: Not a directory (os error 20)")
    );
    assert!(records.next().await.is_none());
}
