use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use process_agent::log::{Record, Stream};
use process_agent::socket::{Answer, Request, ask};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use super::unless_unread;
use crate::complain;

pub(crate) fn logs(
    dir: &Path,
    follow: bool,
    tail: Option<u64>,
    since: Option<UtcDateTime>,
    names: Vec<String>,
) -> anyhow::Result<ExitCode> {
    let named = names.len() > 1;
    let longest = names.iter().map(String::len).max().unwrap_or_default();
    let mut code = ExitCode::SUCCESS;
    for answer in ask(dir, &Request::Logs { names, follow, tail, since })? {
        match answer? {
            Answer::Said { task, record } => {
                let Some(record) = Record::from_line(record.as_bytes()) else { continue };
                let name = if named { format!("{task:longest$} | ") } else { String::new() };
                let written = match record.stream {
                    Stream::Stdout => write(io::stdout(), &name, &record),
                    Stream::Stderr | Stream::Note => write(io::stderr(), &name, &record),
                };
                if written.is_err() {
                    return unless_unread(written);
                }
            }
            Answer::Failed(what) => {
                complain(&what);
                code = ExitCode::FAILURE;
            }
            Answer::Tasks(_) | Answer::Refused(_) | Answer::Done => {}
        }
    }
    Ok(code)
}

/// A piece of a line is shown as a line where others may come between.
fn write(mut out: impl Write, name: &str, record: &Record) -> io::Result<()> {
    let mut line = name.as_bytes().to_vec();
    line.extend_from_slice(&record.bytes);
    if !record.partial || !name.is_empty() {
        line.push(b'\n');
    }
    out.write_all(&line)?;
    out.flush()
}

/// Reads a time, or how long ago it was.
pub(crate) fn since(text: &str) -> Result<UtcDateTime, String> {
    if let Ok(at) = time::OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at.into());
    }
    let wrong = || {
        format!(
            "{text:?} is neither a time like 2026-11-22T08:33:59Z nor a duration like 10m or 1h 30m"
        )
    };
    let ago = humantime::parse_duration(text).map_err(|_| wrong())?;
    // Further back than time goes is from the beginning.
    let at = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(at.into())
}
