//! The plain view: one line for each event, for output that is not a terminal.
//!
//! ```text
//!    1.234  web     running    started (pid 4711)
//!    1.310  disk    preparing  attempt 1 failed, next in 1.0s: no space left on device
//!    2.001  bad     failed     started: exit code 3
//! ```
//!
//! The seconds count from the start of the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use onward::lifecycle::{TaskState, TaskStatus};

use super::text::{duration, exit_code, one_line, padded, width};
use crate::board::{Changed, Row};
use crate::workload::pid;

/// Remembers what was printed of each task, so that nothing is printed twice.
#[derive(Debug)]
pub struct Plain {
    start: Instant,
    /// By the ids of the tasks.
    printed: BTreeMap<String, Printed>,
    notices: Vec<String>,
    /// The width of the longest name so far, in columns.
    longest: u16,
}

/// What was printed of one task.
#[derive(Clone, Debug, Default)]
struct Printed {
    name: String,
    state: Option<TaskState>,
    pid: Option<i32>,
    attempt: Option<u32>,
    retry_at: Option<Instant>,
    error: String,
    /// The attempt that the error was printed for. The same error of a later attempt is printed
    /// again.
    error_of: Option<u32>,
    note: String,
}

impl Plain {
    /// Makes a view that has printed nothing. Its lines count the seconds from `start`.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self { start, printed: BTreeMap::new(), notices: Vec::new(), longest: 0 }
    }

    /// Returns the lines for the tasks that have changed or were removed since the last look, each
    /// with a newline.
    ///
    /// A board can change faster than it is looked at. States between two looks are not shown. The
    /// final state of a task is always shown.
    pub fn look(&mut self, changed: &Changed, notices: &[String], now: Instant) -> String {
        let Changed { rows, removed } = changed;
        let seconds = now.saturating_duration_since(self.start).as_secs_f64();
        let widths = rows.iter().map(|row| width(&one_line(&row.name)));
        self.longest = widths.fold(self.longest, Ord::max);
        let longest = self.longest;
        let mut lines = String::new();
        let mut say = |text: &str| {
            let line = format!("{seconds:8.3}  {text}");
            let _ = writeln!(lines, "{}", line.trim_end()); // never fails for a String
        };
        for id in removed {
            if let Some(Printed { name, .. }) = self.printed.remove(id) {
                say(&format!("{}  removed", padded(&one_line(&name), longest)));
            }
        }
        for row in rows {
            let name = padded(&one_line(&row.name), longest);
            for text in self.printed.entry(row.id.clone()).or_default().news(row, now) {
                say(&format!("{name}  {:<9}  {text}", row.status.state));
            }
        }
        for notice in notices.iter().filter(|notice| !self.notices.contains(notice)) {
            say(&one_line(notice));
        }
        for notice in self.notices.iter().filter(|notice| !notices.contains(notice)) {
            say(&format!("resolved: {}", one_line(notice)));
        }
        self.notices = notices.to_vec();
        lines
    }
}

impl Printed {
    /// Returns the new lines of a task: none, one, or a state and its first failure.
    fn news(&mut self, row: &Row, now: Instant) -> Vec<String> {
        if self.state.is_some_and(|before| row.status.state < before) {
            *self = Self::default(); // a new task of the same id
        }
        let mut news = Vec::new();
        let error = one_line(row.status.err.as_deref().unwrap_or_default());
        let retry = row.retry_at.filter(|_| row.retry_at != self.retry_at);
        let came = self.state != Some(row.status.state);
        if came {
            // If the attempt will be retried, its error is printed with the attempt.
            let first = if retry.is_some() { "" } else { &error };
            news.push(outcome(&row.status, first));
        } else if let Some(attempt) = row.attempt.filter(|attempt| *attempt > 1)
            && row.attempt > self.attempt
        {
            news.push(format!("attempt {attempt}"));
        }
        // The process id may be known a moment after the task is running.
        let pid = pid(&row.status).filter(|_| row.status.state == TaskState::Running);
        if let Some(pid) = pid.filter(|_| !came && pid != self.pid) {
            news.push(format!("pid {pid}"));
        }
        let new = error != self.error;
        if let Some(at) = retry {
            let wait = duration(at.saturating_duration_since(now));
            let attempt = row.attempt.unwrap_or(1);
            let text = format!("attempt {attempt} failed, next in {wait}");
            let is_printed = !came && !new && row.attempt == self.error_of;
            news.push(joined([&text, if is_printed { "" } else { &error }]));
        } else if new && !came && !error.is_empty() {
            news.push(outcome(&row.status, &error));
        }
        if came || new || retry.is_some() {
            self.error = error;
            self.error_of = row.attempt;
        }
        let note = one_line(&row.note);
        if note != self.note && !note.is_empty() {
            news.push(note.clone());
        }
        self.note = note;
        self.name.clone_from(&row.name);
        self.state = Some(row.status.state);
        self.pid = pid;
        self.attempt = row.attempt;
        self.retry_at = row.retry_at;
        news
    }
}

/// Describes a status without its state: `started (pid 4711)`, `started: exit code 3: …`.
fn outcome(status: &TaskStatus, error: &str) -> String {
    let mut message = one_line(&status.message);
    if message == status.state.as_str() {
        message.clear(); // the line has the state already
    }
    if let Some(pid) = pid(status).filter(|_| status.state == TaskState::Running) {
        let space = if message.is_empty() { "" } else { " " };
        let _ = write!(message, "{space}(pid {pid})");
    }
    // The error may contain the exit code already, as in "exited with code 3".
    let code = exit_code(status).filter(|code| !error.contains(&format!("code {code}")));
    let code = code.map(|code| format!("exit code {code}")).unwrap_or_default();
    joined([&message, &code, error])
}

fn joined<const N: usize>(parts: [&str; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}
