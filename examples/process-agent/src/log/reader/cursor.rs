use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use super::{LogError, Options, Record};
use crate::log::file_name;

/// Bytes read at a time. More than the longest record, whose 16 KiB of text are at most
/// 64 KiB when escaped.
const BLOCK: usize = 128 * 1024;

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
        if complete && self.go_on()? {
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
    fn go_on(&mut self) -> io::Result<bool> {
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
            // A file that is gone was older than all that are there.
            let at = ids.iter().position(|id| *id == left);
            let newer = chain.split_off(at.map_or(0, |at| at + 1));
            if newer.is_empty() {
                return Ok(false);
            }
            self.files.extend(newer);
        }
        self.files.pop_front();
        self.offset = 0;
        Ok(true)
    }
}

/// All files of a log, oldest first, as they were at one moment.
fn chain(dir: &Path) -> io::Result<VecDeque<File>> {
    loop {
        let mut files = VecDeque::new();
        let mut ids = Vec::new();
        let oldest = oldest(dir)?;
        for n in 0..=oldest {
            match File::open(dir.join(file_name(n))) {
                Ok(file) => {
                    ids.push(Some(identity(&file.metadata()?)));
                    files.push_front(file);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => ids.push(None),
                Err(error) => return Err(error),
            }
        }
        // A rotation in between has moved at least one file to a higher number, where it
        // is met here; the open files keep their inodes from being used again.
        let mut same = self::oldest(dir)? == oldest;
        for (n, id) in (0..).zip(&ids) {
            same = same && at_path(dir, n)? == *id;
        }
        if same {
            return Ok(files);
        }
    }
}

/// The highest number of a rotated file, 0 if there is none, or no directory yet.
fn oldest(dir: &Path) -> io::Result<u32> {
    let mut oldest = 0;
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(oldest),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("log."));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            oldest = oldest.max(number);
        }
    }
    Ok(oldest)
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
