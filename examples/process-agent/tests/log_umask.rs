//! The mode of a log's files. It has its own test program, because the umask belongs to the
//! process.
#![allow(clippy::unwrap_used)] // a test fails by panicking
#![allow(missing_docs)] // the name of a test describes it

use std::{fs, os::unix::fs::PermissionsExt as _};

use process_agent::log::{LogWriter, Record, Stream};
use rustix::{fs::Mode, process::umask};
use tempfile::TempDir;
use time::UtcDateTime;

#[test]
fn the_files_of_a_log_have_mode_600_with_any_umask() {
    for mask in [0o000, 0o077, 0o777] {
        let dir = TempDir::new().unwrap();
        let before = umask(Mode::from_raw_mode(mask));
        let mut writer = LogWriter::open(dir.path(), 1, 2).unwrap();
        let (at, stream) = (UtcDateTime::UNIX_EPOCH, Stream::Stdout);
        let record = Record { at, stream, continues: false, partial: false, bytes: Vec::new() };
        (0..3).for_each(|_| writer.append(&record));
        umask(before);
        for name in ["log", "log.1", "log.2"] {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name} with umask {mask:o}");
        }
    }
}
