//! The log of a task on disk. One process writes it, and any number of readers can follow it.
//!
//! The current file is `log`. Older ones are `log.1` (the newest of them), `log.2`, and so on. Their
//! mode is 0600.
//!
//! # Format
//!
//! A file is text with one record per line: a time, a stream, and a line of output.
//!
//! ```text
//! 2026-11-22T08:33:59.123456789Z stdout a whole line
//! 2026-11-22T08:34:00.018375462Z stdout+ waiting for the database
//! 2026-11-22T08:34:01.203948571Z stderr a whole line of the other stream
//! 2026-11-22T08:34:01.518273645Z +stdout+ ...
//! 2026-11-22T08:34:02.029384756Z +stdout  ok
//! ```
//!
//! The stream is `stdout`, `stderr`, or `note` for a note of the keeper about the log itself. A line
//! that is long or slow is written as several records. A `+` after the stream means that no newline
//! follows: the line continues in the stream's next record, unless the output ended there. A `+`
//! before the stream means that the record continues the line of the stream's previous record. So
//! the example has three lines. The last one is `waiting for the database... ok`.
//!
//! In the text, a backslash is written as `\\`, a newline as `\n`, and a byte that is not UTF-8 as
//! `\xHH`. All other characters are unchanged, so you can read and search the file as it is.
//!
//! A line of the file is a record only with its newline. If the last line has none, it is being
//! written, or its writer was killed. The next writer deletes such a line.
//!
//! # Times and order
//!
//! The time is when the keeper read the last byte of the record. All output that it read after one
//! wakeup has the same time.
//!
//! Records are in the order in which the keeper read their bytes. For one stream, this is the order
//! in which they were written. Standard output and standard error are two pipes, and a pipe does not
//! record when something was written. If the workload writes to both before the keeper wakes up, the
//! order of the two is lost. Then lines of standard output come first, then lines of standard error,
//! then text without a newline. All have the same time.
//!
//! The keeper wakes up within about ten microseconds on an idle machine, and later on a busy one. If
//! the workload writes to one stream, waits, and writes to the other, the order is kept. A workload
//! that needs the exact order must write both to one pipe, for example with
//! `["sh", "-c", "exec server 2>&1"]`. Then all of it is standard output.
//! `["sh", "-c", "exec server 2>&1"]`. Then all of it is standard output.

mod format;
mod reader;
mod record;
mod writer;

pub use format::MAX_RECORD;
pub use reader::{Follow, LogError, Options, Records, records};
pub(crate) use record::{Head, PerStream};
pub use record::{Record, Stream};
pub use writer::LogWriter;
