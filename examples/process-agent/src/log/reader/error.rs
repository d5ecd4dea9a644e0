use std::path::PathBuf;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("the log in {} cannot be read: {error}", dir.display())]
    Read {
        /// The task's directory.
        dir: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// A line was not written by a [`LogWriter`](crate::log::LogWriter); reading can go on
    /// behind it.
    #[error("a line of the log in {} is no record: {line:?}; it should begin with a time and a stream", dir.display())]
    NoRecord {
        /// The task's directory.
        dir: PathBuf,
        /// The line, at most its first 80 characters.
        line: String,
    },
}
