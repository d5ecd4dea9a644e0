//! A task's output on disk: one process writes it, any number follow it.
//!
//! The current file is `log`; older ones are `log.1` (the youngest of them), `log.2`, …
//! Their mode is 0600.
//!
//! # Format
//!
//! A file is text with one record a line: a time, a stream, and a line of output.
//!
//! ```text
//! 2026-11-22T08:33:59.123456789Z stdout a whole line
//! 2026-11-22T08:34:00.018375462Z stdout+ waiting for the database
//! 2026-11-22T08:34:01.203948571Z stderr a whole line of the other stream
//! 2026-11-22T08:34:01.518273645Z +stdout+ ...
//! 2026-11-22T08:34:02.029384756Z +stdout  ok
//! ```
//!
//! The stream is `stdout`, `stderr` or `note` (of the keeper, about the log itself). A long line,
//! or one that comes slowly, is written in pieces. A `+` behind the stream means that no newline
//! follows: the line goes on in the stream's next record, unless the output ended there. A `+`
//! before the stream means that the record continues the line of the stream's record before it. So
//! the example has three lines, and the last one is `waiting for the database... ok`.
//!
//! In the text, a backslash is written `\\`, a newline `\n`, and a byte that is not UTF-8 `\xHH`.
//! Everything else stands for itself, so that the file can be read and searched as it is.
//!
//! A line of the file is a record only with its newline. The last one may lack it: it is being
//! written, or its writer was killed, and the next writer cuts it off.
//!
//! # Times and order
//!
//! The time is when the keeper read the last byte of the record. Everything that it read when it woke
//! up once has the same time.
//!
//! Records are in the order in which the keeper read their bytes. For one stream, that is the order in
//! which they were written. Standard output and standard error are two pipes, and a pipe does not
//! record when something was written to it. If the workload writes to both before the keeper wakes
//! up, the order of the two is lost. Lines of standard output come first, then lines of standard
//! error, then text without a newline. All have the same time. The keeper wakes up within some ten
//! microseconds on an idle machine, and later on a busy one. If the workload writes to one, waits,
//! and writes to the other, the order is kept.
//!
//! A workload that needs the order for certain writes both to one pipe, for example
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
