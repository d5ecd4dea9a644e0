use std::io::{self, BufWriter, StderrLock, StdoutLock, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use onward::exec::LogStream;
use serde::Serialize;
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Logs, unless_unread};
use crate::json;
use crate::program::Program;
use crate::socket::{Answer, Message, Request, ask};

pub(super) fn logs(program: Program, arguments: Logs) -> anyhow::Result<ExitCode> {
    let Logs { state, follow, tail, since, json, names } = arguments;
    let prefix = (names.len() > 1).then(|| names.iter().map(String::len).max().unwrap_or(0));
    let mut out = Out::new(if json { Form::Json } else { Form::Text { prefix } });
    let mut code = ExitCode::SUCCESS;
    let mut answers = ask(program, &state.dir, &Request::Logs { names, follow, tail, since })?;
    while let Some(answer) = answers.next() {
        let written = match answer {
            Ok(Answer::Said(message)) => out.write(&message),
            Ok(Answer::Failed(what)) => {
                program.complain(&what);
                code = ExitCode::FAILURE;
                Ok(())
            }
            Ok(Answer::Tasks(_) | Answer::Notice(_) | Answer::Refused(_) | Answer::Done) => Ok(()),
            Err(error) => {
                _ = out.flush();
                return Err(error.into());
            }
        };
        // What is said is shown at once, but not each line by itself where many are there.
        let flushed = if answers.is_next_here() { Ok(()) } else { out.flush() };
        if let Err(error) = written.and(flushed) {
            return unless_unread(Err(error));
        }
    }
    match out.flush() {
        Ok(()) => Ok(code),
        unread => unless_unread(unread),
    }
}

/// How lines are shown.
enum Form {
    /// As they were said, with the task's name before each if there are several. The names take
    /// so many bytes.
    Text { prefix: Option<usize> },
    /// Each as an object of JSON.
    Json,
}

/// Where lines are shown.
struct Out {
    form: Form,
    stdout: BufWriter<StdoutLock<'static>>,
    stderr: BufWriter<StderrLock<'static>>,
    /// Where the last one went. What is in one buffer comes before what goes into the other.
    last: LogStream,
}

impl Out {
    fn new(form: Form) -> Self {
        let (stdout, stderr) = (BufWriter::new(io::stdout().lock()), io::stderr().lock());
        Self { form, stdout, stderr: BufWriter::new(stderr), last: LogStream::Stdout }
    }

    fn write(&mut self, message: &Message) -> io::Result<()> {
        let prefix = match self.form {
            Form::Json => {
                for text in lines(message) {
                    json::write(&mut self.stdout, &Line::of(message, text))?;
                    self.stdout.write_all(b"\n")?;
                }
                return Ok(());
            }
            Form::Text { prefix } => prefix,
        };
        if message.stream != self.last {
            self.flush()?;
            self.last = message.stream;
        }
        let out: &mut dyn Write = match message.stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        };
        let Some(longest) = prefix else {
            out.write_all(&message.text)?;
            return if message.partial { Ok(()) } else { out.write_all(b"\n") };
        };
        // Others may come between the pieces of a line, so with names each is a line.
        for text in lines(message) {
            write!(out, "{:longest$} | ", message.task)?;
            out.write_all(text)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        self.stderr.flush()
    }
}

/// The lines of a message, which are those that the task has said at once.
fn lines(message: &Message) -> impl Iterator<Item = &[u8]> {
    message.text.split(|byte| *byte == b'\n')
}

/// A line as `logs --json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    task: &'a str,
    time: String,
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    partial: bool,
    /// With the replacement character for what is no text.
    text: std::borrow::Cow<'a, str>,
}

impl<'a> Line<'a> {
    fn of(message: &'a Message, text: &'a [u8]) -> Self {
        Self {
            task: &message.task,
            time: crate::stamp::format(message.time),
            stream: match message.stream {
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
            },
            source: message.source.as_deref(),
            partial: message.partial,
            text: String::from_utf8_lossy(text),
        }
    }
}

/// Reads a time, or how long ago it was.
pub(super) fn since(text: &str) -> Result<UtcDateTime, String> {
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
