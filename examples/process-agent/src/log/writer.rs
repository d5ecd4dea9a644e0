use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use time::UtcDateTime;

use super::{Record, Stream, file_name};

/// Appends records to a task's log, rotates it, and goes on when the disk is full.
///
/// There may be one writer a directory at a time.
#[derive(Debug)]
pub struct LogWriter {
    dir: PathBuf,
    max_size: u64,
    files: u32,
    /// The current file, opened for appending. `None` after a rotation that could not
    /// create a new one.
    file: Option<File>,
    /// The length of the current file up to the end of its last whole record.
    len: u64,
    /// Lines lost since the last one that could be written, and why.
    lost: u64,
    error: Option<String>,
    /// Whether a part of a record is behind `len`.
    torn: bool,
}

impl LogWriter {
    /// Opens `log` in `dir`, and creates it if there is none. Once it has passed
    /// `max_size` bytes it is rotated, and `files` rotated files are kept.
    ///
    /// A torn last line, as a crash leaves it, is cut off.
    ///
    /// # Errors
    ///
    /// When `log` cannot be opened, read or cut.
    pub fn open(dir: &Path, max_size: u64, files: u32) -> io::Result<Self> {
        let mut file = open(dir)?;
        let len = whole_records(&mut file)?;
        file.set_len(len)?;
        Ok(Self {
            dir: dir.to_owned(),
            max_size,
            files,
            file: Some(file),
            len,
            lost: 0,
            error: None,
            torn: false,
        })
    }

    /// Writes one record. It never fails: a record that cannot be written is counted,
    /// and a [`Stream::Note`] tells how many were lost as soon as one can be written.
    pub fn append(&mut self, record: &Record) {
        let line = record.to_line();
        if self.note_losses().and_then(|()| self.write(&line)).is_err() {
            self.lost += 1;
        }
    }

    /// Notes losses that are not yet noted, if that is possible by now, and brings the
    /// log to the disk.
    pub fn finish(&mut self) {
        let synced =
            self.note_losses().and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_data));
        if let Err(error) = synced {
            self.error = Some(error.to_string());
        }
    }

    /// Why lines are being lost; `None` when the last one was written.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn note_losses(&mut self) -> io::Result<()> {
        let Some(error) = &self.error else {
            return Ok(());
        };
        if self.lost == 0 {
            return Ok(());
        }
        let lines = if self.lost == 1 { "line" } else { "lines" };
        let note = Record {
            at: UtcDateTime::now(),
            stream: Stream::Note,
            bytes: format!("{} {lines} lost: {error}", self.lost).into_bytes(),
            partial: false,
        };
        // On its own, before the record: a reader may have seen the note even if the
        // record behind it is taken back.
        self.write(&note.to_line())?;
        self.lost = 0;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.try_write(line);
        self.error = written.as_ref().err().map(ToString::to_string);
        written
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if self.torn {
            self.take_back()?;
        }
        if self.len > 0 && self.len + length > self.max_size {
            // A log that cannot be rotated grows beyond its size: better than losing lines.
            let _ = self.rotate();
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.dir)?),
        };
        if let Err(error) = file.write_all(line) {
            self.torn = true;
            let _ = self.take_back(); // tried again before the next line is written
            return Err(error);
        }
        self.len += length;
        Ok(())
    }

    /// Cuts a torn line off, so that the next one does not continue it.
    fn take_back(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.set_len(self.len)?;
        }
        self.torn = false;
        Ok(())
    }

    /// `log.1` becomes `log.2` and so on, then `log` becomes `log.1`. A step that fails
    /// leaves every file under some name, and the next write tries again.
    ///
    /// Only what is there is renamed, up to the first number that is free: how many files there
    /// may be says nothing of how many there are.
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
        self.len = 0;
        Ok(())
    }
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(dir.join(file_name(0)))
}

/// The length of `file` up to behind its last newline.
fn whole_records(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        let length = usize::try_from(end - start).unwrap_or(block.len());
        let block = block.get_mut(..length).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
