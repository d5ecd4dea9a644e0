use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use time::UtcDateTime;

use super::{LogError, Options, Record};
use crate::log::{Stream, file_name};

/// Bytes read at a time. More than the longest record, whose 16 KiB of text are at most
/// 64 KiB when escaped.
const BLOCK: usize = 128 * 1024;

/// How often a log is opened anew when it was rotated while it was opened.
const TRIES: usize = 100;

const MISSING: &str = "lines may be missing: the log was rotated faster than it was read";

/// Where a reader is in a log. Everything here blocks.
///
/// A file is known by its inode, since its name changes at each rotation, and the inode of
/// a file that is held open is not given to another.
#[derive(Debug)]
pub(super) struct Cursor {
    dir: PathBuf,
    options: Options,
    /// Files still to be read, oldest first; the first of them is being read.
    files: VecDeque<File>,
    /// Bytes of the first file that have been read: always whole lines. A line without its
    /// newline is read again, since its writer may take it back.
    offset: u64,
    /// The last records so far, until the log's end is reached for the first time.
    tail: Option<VecDeque<Result<Record, LogError>>>,
}

/// What one call of [`Cursor::read`] found.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Result<Record, LogError>>,
    /// Nothing more was there.
    pub(super) at_end: bool,
    /// The reader had been told that this end would be the last.
    pub(super) last: bool,
    /// The cursor is of no more use.
    pub(super) failed: bool,
}

impl Cursor {
    pub(super) fn new(dir: &Path, options: Options) -> Self {
        Self {
            dir: dir.to_owned(),
            tail: options.tail.map(|_| VecDeque::new()),
            options,
            files: VecDeque::new(),
            offset: 0,
        }
    }

    /// Reads on, until there is a record or the end.
    pub(super) fn read(&mut self, last: bool) -> Batch {
        let mut batch = Batch { last, ..Batch::default() };
        while batch.records.is_empty() && !batch.at_end {
            match self.step(&mut batch) {
                Ok(()) => {}
                Err(error) => {
                    let dir = self.dir.clone();
                    batch.records.push(Err(LogError::Read { dir, error }));
                    batch.failed = true;
                }
            }
        }
        batch
    }

    fn step(&mut self, batch: &mut Batch) -> io::Result<()> {
        // Asked before reading: a file that is not the current one any more is complete.
        let complete = self.files.len() > 1 || !self.is_current()?;
        if self.read_block(batch)? {
            return Ok(());
        }
        if complete && self.go_on(batch)? {
            return Ok(());
        }
        if let Some(tail) = self.tail.take() {
            batch.records.extend(tail);
        }
        batch.at_end = true;
        Ok(())
    }

    /// Reads some lines of the first file. `false` if it has no more whole ones.
    fn read_block(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let Some(file) = self.files.front() else {
            return Ok(false);
        };
        let mut block = vec![0; BLOCK];
        let mut length = 0;
        while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, self.offset + length as u64) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        block.truncate(length);
        let Some(end) = block.iter().rposition(|byte| *byte == b'\n') else {
            if length == BLOCK {
                // Not ours: no record is that long. Skipped, to get behind it some time.
                self.offset += length as u64;
            }
            return Ok(length == BLOCK);
        };
        self.offset += end as u64 + 1;
        block.truncate(end);
        for line in block.split(|byte| *byte == b'\n') {
            self.take(line, batch);
        }
        Ok(true)
    }

    fn take(&mut self, line: &[u8], batch: &mut Batch) {
        let record = match Record::from_line(line) {
            Some(record) if self.options.wants(&record) => Ok(record),
            Some(_) => return,
            None => Err(LogError::NoRecord {
                dir: self.dir.clone(),
                line: String::from_utf8_lossy(line).chars().take(80).collect(),
            }),
        };
        self.keep(record, batch);
    }

    fn keep(&mut self, record: Result<Record, LogError>, batch: &mut Batch) {
        match (&mut self.tail, self.options.tail) {
            (Some(tail), Some(most)) => {
                tail.push_back(record);
                if tail.len() > most {
                    tail.pop_front();
                }
            }
            _ => batch.records.push(record),
        }
    }

    /// Whether the file being read is the one that the writer appends to.
    fn is_current(&self) -> io::Result<bool> {
        let Some(file) = self.files.front() else {
            return Ok(false);
        };
        let held = identity(&file.metadata()?);
        Ok(at_path(&self.dir, 0)?.is_none_or(|current| current == held))
    }

    /// Leaves a file that is read to its end. `false` if there is none behind it.
    fn go_on(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let Some(left) = self.files.front() else {
            self.files = chain(&self.dir)?;
            self.offset = 0;
            return Ok(!self.files.is_empty());
        };
        if self.files.len() == 1 {
            let left = identity(&left.metadata()?);
            let mut chain = chain(&self.dir)?;
            let mut ids = Vec::new();
            for file in &chain {
                ids.push(identity(&file.metadata()?));
            }
            // A file that is gone was older than all that are there, and others may have been
            // between.
            let at = ids.iter().position(|id| *id == left);
            let newer = chain.split_off(at.map_or(0, |at| at + 1));
            if newer.is_empty() {
                return Ok(false);
            }
            self.files.extend(newer);
            if at.is_none() {
                let bytes = MISSING.as_bytes().to_vec();
                let at = UtcDateTime::now();
                let note = Record { at, stream: Stream::Note, bytes, partial: false };
                self.keep(Ok(note), batch);
            }
        }
        self.files.pop_front();
        self.offset = 0;
        Ok(true)
    }
}

/// All files of a log, oldest first, as they were at one moment. Under a writer that leaves no such
/// moment, as they were opened: those that came later are found behind the last of them.
fn chain(dir: &Path) -> io::Result<VecDeque<File>> {
    chain_while(dir, || {})
}

/// With what happens between the opening of the files and the look whether that was one moment.
fn chain_while(dir: &Path, mut between: impl FnMut()) -> io::Result<VecDeque<File>> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut files = VecDeque::new();
        let mut ids = Vec::new();
        let numbers = numbers(dir)?;
        for n in &numbers {
            match File::open(dir.join(file_name(*n))) {
                Ok(file) => {
                    let id = Some(identity(&file.metadata()?));
                    // Met again under a higher number after a rotation in between.
                    if !ids.contains(&id) {
                        files.push_front(file);
                    }
                    ids.push(id);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => ids.push(None),
                Err(error) => return Err(error),
            }
        }
        between();
        // A rotation in between has moved at least one file to a higher number, where it
        // is met here; the open files keep their inodes from being used again.
        let mut same = self::numbers(dir)? == numbers;
        for (n, id) in numbers.iter().zip(&ids) {
            same = same && at_path(dir, *n)? == *id;
        }
        if same || tries == TRIES {
            return Ok(files);
        }
    }
}

/// The numbers that files may have: 0, those of the rotated ones, and the next one to each, since
/// a rotation that is under way leaves one of them free, and fills it. Not all below the highest:
/// anybody can have put a file there whose number is high.
fn numbers(dir: &Path) -> io::Result<BTreeSet<u32>> {
    let mut numbers = BTreeSet::from([0]);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("log."));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    let next: Vec<_> = numbers.iter().filter_map(|number| number.checked_add(1)).collect();
    numbers.extend(next);
    Ok(numbers)
}

type Identity = (u64, u64);

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn at_path(dir: &Path, n: u32) -> io::Result<Option<Identity>> {
    match fs::metadata(dir.join(file_name(n))) {
        Ok(metadata) => Ok(Some(identity(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;
    use crate::log::LogWriter;

    #[test]
    fn a_number_that_a_rotation_under_way_has_left_free_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["log.1", "log.3", "log.99"] {
            File::create(dir.path().join(name)).unwrap();
        }
        assert_eq!(numbers(dir.path()).unwrap(), BTreeSet::from([0, 1, 2, 3, 4, 99, 100]));
    }

    #[test]
    fn a_writer_that_rotates_all_the_time_does_not_hold_up_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record {
            at: UtcDateTime::now(),
            stream: Stream::Stdout,
            bytes: Vec::new(),
            partial: false,
        };
        let mut writer = LogWriter::open(dir.path(), 1, 3).unwrap();
        (0..10).for_each(|_| writer.append(&record));
        let mut rotations = 0;
        let files = chain_while(dir.path(), || {
            writer.append(&record);
            rotations += 1;
        });
        assert_eq!((files.unwrap().len(), rotations), (4, TRIES));
    }
}
