use std::path::PathBuf;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused to read a file.
    #[error("cannot read the log in {}: {error}", dir.display())]
    Read {
        /// The task's directory.
        dir: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
    /// A line was not written by a [`LogWriter`](crate::log::LogWriter). The reader can continue
    /// after it.
    #[error("a line of the log in {} is not a record: {line:?}; it should begin with a time and a stream", dir.display())]
    NoRecord {
        /// The task's directory.
        dir: PathBuf,
        /// The first 80 characters of the line.
        line: String,
    },
}
