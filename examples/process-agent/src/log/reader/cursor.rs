//! The position in a log: reads it forward, across rotations.

use std::{
    collections::VecDeque,
    fs::File,
    io, mem,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use time::UtcDateTime;

use super::{
    chain::{at_path, chain, identity},
    error::LogError,
    options::Options,
    tail::{self, Position},
};
use crate::log::{
    format::{Decoder, MAX_LINE, MAX_RECORD},
    record::{Head, PerStream, Record, Stream},
};

/// Bytes read at a time. More than the longest record.
const BLOCK: usize = 256 * 1024;
const _: () = assert!(BLOCK > MAX_LINE);

/// How far the modification time of a file can be behind the time of its last record, because the
/// system's clock for files is coarse.
const COARSE: Duration = Duration::from_secs(1);

const ROTATED: &str = "lines may be missing: the log was rotated faster than it was read";
const CUT: &str = "lines may be missing: the log was cut";

/// The position of a reader in a log. All methods block.
#[derive(Debug)]
pub(super) struct Cursor {
    dir: PathBuf,
    options: Options,
    /// The files that are still to be read, oldest first. The first one is being read.
    files: VecDeque<File>,
    /// The number of files that were read completely.
    passed: usize,
    /// The number of bytes of the first file that were read. They are whole lines. A line without
    /// its newline is read again, because its writer may delete it.
    offset: u64,
    /// Whether `offset` is inside a line that is too long for a record.
    inside: bool,
    /// The number of last lines to read. `None` once the log was opened or found empty.
    tail: Option<usize>,
    /// The start of the wanted records of each stream.
    from: Option<PerStream<Position>>,
    /// The buffer for a block. Empty between the end of the log and the next check.
    buffer: Vec<u8>,
}

/// The result of one call of [`Cursor::read`].
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Result<Record, LogError>>,
    /// The end of the log was reached.
    pub(super) at_end: bool,
    /// The reader had been told that no more records follow.
    pub(super) last: bool,
    /// The cursor can no longer be used.
    pub(super) failed: bool,
}

impl Cursor {
    pub(super) fn new(dir: &Path, options: Options) -> Self {
        Self {
            dir: dir.to_owned(),
            tail: options.tail,
            options,
            files: VecDeque::new(),
            passed: 0,
            offset: 0,
            inside: false,
            from: None,
            buffer: Vec::new(),
        }
    }

    /// Reads until there is a record or the end.
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
        // Check this before reading. A file that is no longer the current one is complete.
        let complete = self.files.len() > 1 || !self.is_current()?;
        let mut buffer = mem::take(&mut self.buffer);
        if buffer.is_empty() {
            buffer = vec![0; BLOCK];
        }
        if self.read_block(&mut buffer, batch)? {
            self.buffer = buffer;
            return Ok(());
        }
        // A followed log is checked again and again, and usually has nothing new.
        drop(buffer);
        if complete && self.go_on(batch)? {
            return Ok(());
        }
        self.tail = None;
        batch.at_end = true;
        Ok(())
    }

    /// Reads some lines of the first file. Returns `false` if it has no more whole lines.
    fn read_block(&mut self, buffer: &mut [u8], batch: &mut Batch) -> io::Result<bool> {
        let Some(file) = self.files.front() else {
            return Ok(false);
        };
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, self.offset + length as u64) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if length == 0 && file.metadata()?.len() < self.offset {
            self.offset = 0;
            self.inside = false;
            batch.records.push(Ok(note(CUT)));
            return Ok(true);
        }
        let block = buffer.get(..length).unwrap_or_default();
        let Some(end) = memchr::memrchr(b'\n', block) else {
            if length == BLOCK {
                // A line of this length is not a record. Skip it to reach the lines after it.
                if !self.inside {
                    self.refuse(block, batch);
                }
                self.inside = true;
                self.offset += length as u64;
            }
            return Ok(length == BLOCK);
        };
        let block = block.get(..end).unwrap_or_default();
        let mut start = 0;
        let mut decoder = Decoder::new(block);
        for end in memchr::memchr_iter(b'\n', block).chain([end]) {
            if !mem::take(&mut self.inside) {
                let position = Position { file: self.passed, offset: self.offset + start as u64 };
                let line = block.get(start..end).unwrap_or_default();
                self.take(line, &mut decoder, position, batch);
            }
            start = end + 1;
        }
        self.offset += start as u64;
        Ok(true)
    }

    fn take<'a>(
        &mut self,
        line: &'a [u8],
        decoder: &mut Decoder<'a>,
        position: Position,
        batch: &mut Batch,
    ) {
        let Some((head, text)) = decoder.decode(line) else {
            return self.refuse(line, batch);
        };
        let begins = self.from.as_mut().map(|from| *from.of(head.stream));
        if begins.is_some_and(|begins| position < begins) || !self.options.wants(&head) {
            return;
        }
        if self.options.joined
            && let Some(Ok(last)) = batch.records.last_mut()
            && join(last, head, text, decoder)
        {
            return;
        }
        let mut bytes = Vec::with_capacity(text.len());
        match decoder.unescape(text, &mut bytes) {
            Some(()) => batch.records.push(Ok(Record::new(head, bytes))),
            None => self.refuse(line, batch),
        }
    }

    fn refuse(&self, line: &[u8], batch: &mut Batch) {
        let line = String::from_utf8_lossy(line.get(..400).unwrap_or(line));
        let line = line.chars().take(80).collect();
        batch.records.push(Err(LogError::NoRecord { dir: self.dir.clone(), line }));
    }

    /// Whether the file that is being read is the one that the writer appends to.
    fn is_current(&self) -> io::Result<bool> {
        let Some(file) = self.files.front() else {
            return Ok(false);
        };
        let held = identity(&file.metadata()?);
        Ok(at_path(&self.dir, 0)?.is_none_or(|current| current == held))
    }

    /// Moves on to the next file at the end of a file. Returns `false` if there is none.
    fn go_on(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let Some(left) = self.files.front() else {
            self.files = chain(&self.dir)?;
            return self.begin();
        };
        if self.files.len() == 1 {
            let left = identity(&left.metadata()?);
            let mut chain = chain(&self.dir)?;
            let mut ids = Vec::new();
            for file in &chain {
                ids.push(identity(&file.metadata()?));
            }
            // If the file is gone, it was older than all existing files. There may have been others
            // in between.
            let at = ids.iter().position(|id| *id == left);
            let newer = chain.split_off(at.map_or(0, |at| at + 1));
            if newer.is_empty() {
                return Ok(false);
            }
            self.files.extend(newer);
            if at.is_none() {
                batch.records.push(Ok(note(ROTATED)));
            }
        }
        self.leave();
        Ok(true)
    }

    fn leave(&mut self) {
        self.files.pop_front();
        self.passed += 1;
        self.offset = 0;
        self.inside = false;
    }

    /// Opens the files, and moves to the first wanted line. Returns `false` if there is no file.
    fn begin(&mut self) -> io::Result<bool> {
        while self.files.len() > 1 && self.is_older()? {
            self.leave();
        }
        if let Some(lines) = self.tail.take() {
            let options = &self.options;
            let mut from = tail::find(&self.files, lines, BLOCK, |head| options.wants(head))?;
            let first = from.first();
            let passed = self.passed;
            for position in from.all() {
                position.file += passed;
            }
            for _ in 0..first.file {
                self.leave();
            }
            self.offset = first.offset;
            self.from = Some(from);
        }
        Ok(!self.files.is_empty())
    }

    /// Whether the first file was last written before `since`.
    fn is_older(&self) -> io::Result<bool> {
        let (Some(file), Some(since)) = (self.files.front(), self.options.since) else {
            return Ok(false);
        };
        let written = file.metadata()?.modified()?;
        Ok(written.checked_add(COARSE).is_some_and(|written| written < SystemTime::from(since)))
    }
}

/// Appends a whole line to a record of whole lines. Returns `false` if the record has no space for
/// it.
fn join(last: &mut Record, head: Head, text: &[u8], decoder: &Decoder<'_>) -> bool {
    let is_alike = last.head() == head && !head.continues && !head.partial;
    let length = last.bytes.len();
    if !is_alike || length + 1 + text.len() > MAX_RECORD {
        return false;
    }
    last.bytes.push(b'\n');
    let joined = decoder.unescape(text, &mut last.bytes).is_some();
    if !joined {
        last.bytes.truncate(length);
    }
    joined
}

fn note(text: &str) -> Record {
    let at = UtcDateTime::now();
    let head = Head { at, stream: Stream::Note, continues: false, partial: false };
    Record::new(head, text.as_bytes().to_vec())
}
