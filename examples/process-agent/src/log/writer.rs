//! Writes a log: appends records, rotates the files, and counts lines lost on a full disk.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use time::UtcDateTime;

use super::{
    format::{Encoder, decode},
    record::{Head, PerStream, Record, Stream, file_name},
};

/// The most bytes of records that are held for the next write.
const BATCH: usize = 64 * 1024;

/// The mode of every log file, whatever the umask is.
const MODE: u32 = 0o600;

/// Appends records to a task's log, and rotates it. On a full disk, it counts the lost lines and
/// continues later.
///
/// A directory must have only one writer at a time.
#[derive(Debug)]
pub struct LogWriter {
    dir: PathBuf,
    max_size: u64,
    files: u32,
    /// The current file, opened for appending. `None` if a rotation could not create it.
    file: Option<File>,
    encoder: Encoder,
    /// Complete records that are not written yet.
    batch: Vec<u8>,
    losses: Losses,
    error: Option<String>,
    /// The length to cut the file to, because it ends with an incomplete record.
    torn: Option<u64>,
}

impl LogWriter {
    /// Opens `log` in `dir`, or creates it. The file is rotated before it exceeds `max_size` bytes,
    /// and `files` rotated files are kept.
    ///
    /// An incomplete last line of an earlier crash is deleted.
    ///
    /// # Errors
    ///
    /// Fails if `log` cannot be opened, read or cut.
    pub fn open(dir: &Path, max_size: u64, files: u32) -> io::Result<Self> {
        let mut file = open(dir)?;
        let len = whole_records(&mut file)?;
        file.set_len(len)?;
        Ok(Self {
            dir: dir.to_owned(),
            max_size,
            files,
            file: Some(file),
            encoder: Encoder::default(),
            batch: Vec::new(),
            losses: Losses::default(),
            error: None,
            torn: None,
        })
    }

    /// Writes one record.
    ///
    /// It never fails. If a record cannot be written, the writer counts the lost lines. As soon as
    /// it can, it writes a [`Stream::Note`] with their number.
    pub fn append(&mut self, record: &Record) {
        self.append_all(std::slice::from_ref(record));
    }

    /// Writes many records at once, in the same way as [`append`](Self::append).
    pub fn append_all(&mut self, records: &[Record]) {
        for record in records {
            self.push(record.head(), &record.bytes);
        }
        if let Some(last) = records.last() {
            self.flush(last.at);
        }
    }

    /// Adds one record of at most [`MAX_RECORD`](super::MAX_RECORD) bytes. The next
    /// [`flush`](Self::flush) writes it.
    pub(crate) fn push(&mut self, head: Head, bytes: &[u8]) {
        self.encoder.encode(head, bytes, &mut self.batch);
        if self.batch.len() >= BATCH {
            self.flush(head.at);
        }
    }

    /// Writes the added records, with one write if they fit into one file. If lines were lost
    /// before, it first writes a note about them, even if there are no added records.
    pub(crate) fn flush(&mut self, now: UtcDateTime) {
        if self.batch.is_empty() && self.losses.lines == 0 {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let noted = self.note_losses(now);
        let mut written = 0;
        let result = noted.and_then(|()| self.write(&batch, &mut written));
        self.losses.add(batch.get(written..).unwrap_or_default());
        self.error = result.err().map(|error| error.to_string());
        batch.clear();
        batch.shrink_to(BATCH);
        self.batch = batch;
    }

    /// Writes the added records and a note about lost lines, if possible. Then syncs the file to
    /// disk.
    pub fn finish(&mut self, now: UtcDateTime) {
        self.flush(now);
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_data);
        if let Err(error) = synced {
            self.error = Some(error.to_string());
        }
    }

    /// Returns why lines are being lost. `None` if the last write succeeded.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn note_losses(&mut self, at: UtcDateTime) -> io::Result<()> {
        let lines = self.losses.lines;
        if lines == 0 {
            return Ok(());
        }
        let unit = if lines == 1 { "line" } else { "lines" };
        let error = self.error.as_deref().unwrap_or("unknown error");
        let text = format!("{lines} {unit} lost: {error}");
        let head = Head { at, stream: Stream::Note, continues: false, partial: false };
        let mut note = Vec::new();
        self.encoder.encode(head, text.as_bytes(), &mut note);
        self.write(&note, &mut 0)?;
        self.losses = Losses::default();
        Ok(())
    }

    /// Writes a batch. Adds the number of bytes of completely written records to `written`.
    fn write(&mut self, batch: &[u8], written: &mut usize) -> io::Result<()> {
        while let Some(rest) = batch.get(*written..).filter(|rest| !rest.is_empty()) {
            *written += self.write_some(rest)?;
        }
        Ok(())
    }

    /// Writes at least one record from the front of `rest`. Returns the number of bytes.
    fn write_some(&mut self, rest: &[u8]) -> io::Result<usize> {
        let mut len = self.current_len()?;
        let mut part = fitting(rest, self.max_size.saturating_sub(len));
        if part.is_empty() && len > 0 {
            match self.rotate() {
                Ok(()) => {
                    len = self.current_len()?;
                    part = fitting(rest, self.max_size);
                }
                // A log that is too large is better than lost lines.
                Err(_) => part = rest,
            }
        }
        if part.is_empty() {
            part = whole_lines(rest, usize::MAX, memchr::memchr);
        }
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let (length, result) = write_counted(file, part);
        let whole = whole_lines(part, length, memchr::memrchr).len();
        if whole < length {
            self.torn = Some(len + whole as u64);
            let _ = self.take_back(); // repeated before the next write
        }
        match result {
            Err(error) if whole == 0 => Err(error),
            _ => Ok(whole),
        }
    }

    /// Returns the length of the current file. Opens it if necessary. If the file was deleted, a
    /// new one is created, because nobody could read the old one. If it was cut, writing continues
    /// at its new end.
    fn current_len(&mut self) -> io::Result<u64> {
        if self.torn.is_some() {
            self.take_back()?;
        }
        if let Some(file) = &self.file {
            let metadata = file.metadata()?;
            if metadata.nlink() > 0 {
                return Ok(metadata.len());
            }
        }
        let file = self.file.insert(open(&self.dir)?);
        Ok(file.metadata()?.len())
    }

    /// Cuts off an incomplete record, so that the next one does not continue it.
    fn take_back(&mut self) -> io::Result<()> {
        if let (Some(file), Some(len)) = (&self.file, self.torn)
            && file.metadata()?.len() > len
        {
            file.set_len(len)?;
        }
        self.torn = None;
        Ok(())
    }

    /// Rotates the files: `log.1` becomes `log.2` and so on, then `log` becomes `log.1`. If a step
    /// fails, every file still has some name, and the next write tries again.
    ///
    /// Only existing files are renamed, up to the first free number. So the cost does not depend on
    /// the largest number of files.
    fn rotate(&mut self) -> io::Result<()> {
        let path = |n| self.dir.join(file_name(n));
        let step = |done: io::Result<()>| match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        if self.files == 0 {
            step(fs::remove_file(path(0)))?;
        }
        let mut taken = 0;
        while taken < self.files && path(taken).try_exists()? {
            taken += 1;
        }
        for n in (0..taken).rev() {
            step(fs::rename(path(n), path(n + 1)))?;
        }
        self.file = None;
        Ok(())
    }
}

/// The lines that were lost since the last note.
#[derive(Debug, Default)]
struct Losses {
    /// The number of lines with at least one lost record.
    lines: u64,
    /// Whether a record of the stream's current line is lost, so that the line is already counted.
    open: PerStream<bool>,
}

impl Losses {
    fn add(&mut self, records: &[u8]) {
        for line in records.split(|byte| *byte == b'\n') {
            let Some((head, _)) = decode(line) else { continue };
            let counted = self.open.of(head.stream);
            if !(head.continues && *counted) {
                self.lines += 1;
            }
            *counted = head.partial;
        }
    }
}

/// Returns the longest part of `lines` that has only whole lines and at most `room` bytes.
fn fitting(lines: &[u8], room: u64) -> &[u8] {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    whole_lines(lines, room, memchr::memrchr)
}

/// Returns the first `length` bytes up to and including the newline that `find` finds in them.
fn whole_lines(
    bytes: &[u8],
    length: usize,
    find: impl FnOnce(u8, &[u8]) -> Option<usize>,
) -> &[u8] {
    let bytes = bytes.get(..length).unwrap_or(bytes);
    bytes.get(..find(b'\n', bytes).map_or(0, |at| at + 1)).unwrap_or_default()
}

/// Writes all bytes, or as many as possible before an error. Also returns the number of written
/// bytes.
fn write_counted(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn open(dir: &Path) -> io::Result<File> {
    let path = dir.join(file_name(0));
    let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    // The umask removes bits from the mode of a new file.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

/// Returns the length of `file` up to and including its last newline.
fn whole_records(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        let length = usize::try_from(end - start).unwrap_or(block.len());
        let block = block.get_mut(..length).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(at) = memchr::memrchr(b'\n', block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
