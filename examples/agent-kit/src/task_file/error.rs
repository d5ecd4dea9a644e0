use std::{io, ops::Range};

use crate::kind::{Position, Problem};

/// Why a task file was refused, with the position of the problem.
#[derive(Debug, thiserror::Error)]
pub enum TaskFileError {
    /// The file cannot be read.
    #[error("{file}: cannot read the task file: {error}")]
    Read {
        /// The name of the file.
        file: String,
        /// The error of the system.
        error: io::Error,
    },
    /// The file is not UTF-8.
    #[error("{file}:{line}:{column}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The name of the file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The first invalid byte.
        byte: u8,
    },
    /// The file is too large.
    #[error("{file}: the task file is larger than {limit} bytes; split it into several")]
    TooLarge {
        /// The name of the file.
        file: String,
        /// The largest allowed size in bytes.
        limit: u64,
    },
    /// The text is not a valid task file.
    #[error("{file}:{problem}")]
    Invalid {
        /// The name of the file.
        file: String,
        /// The position of the problem, the key, and what is wrong with it.
        problem: Problem,
    },
}

/// The text of a task file, and its name in errors.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Place<'_> {
    pub(super) fn invalid(
        &self,
        span: Range<usize>,
        field: Option<String>,
        problem: String,
    ) -> TaskFileError {
        let (line, column) = self.line_and_column(span.start);
        let problem = Problem { position: Position { line, column }, field, problem };
        TaskFileError::Invalid { file: self.file.to_owned(), problem }
    }

    pub(super) fn toml(&self, error: &toml::de::Error, field: Option<String>) -> TaskFileError {
        let span = error.span().unwrap_or(0..0);
        let mut problem = error.message().to_owned();
        if problem == "duplicate key" {
            let key = self.text.get(span.clone()).unwrap_or_default();
            problem = format!("the key `{key}` is given twice; leave out one of them");
        }
        self.invalid(span, field, problem)
    }

    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        line_and_column(self.text.as_bytes(), offset)
    }
}

pub(super) fn not_utf8(file: String, bytes: &[u8], offset: usize) -> TaskFileError {
    let (line, column) = line_and_column(bytes, offset);
    let byte = bytes.get(offset).copied().unwrap_or_default();
    TaskFileError::NotUtf8 { file, line, column, byte }
}

fn line_and_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default());
    (line, column.chars().count() + 1)
}
