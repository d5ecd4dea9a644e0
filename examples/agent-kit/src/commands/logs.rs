use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, StderrLock, Write};
use std::process::ExitCode;

use onward::exec::LogStream;
use serde::Serialize;

use super::arguments::Logs;
use super::stdout::{unbuffered, unless_unread};
use crate::json;
use crate::program::Program;
use crate::socket::{Answer, Message, Request, ask};
use crate::stamp;

pub(super) fn logs(program: Program, arguments: Logs) -> anyhow::Result<ExitCode> {
    let Logs { state, follow, tail, since, json, names } = arguments;
    let prefix = (names.len() > 1).then(|| names.iter().map(String::len).max().unwrap_or(0));
    let mut out = Out::new(if json { Form::Json } else { Form::Text { prefix } })?;
    let mut code = ExitCode::SUCCESS;
    let mut answers = ask(program, &state.dir, &Request::Logs { names, follow, tail, since })?;
    while let Some(answer) = answers.next() {
        let written = match answer {
            Ok(Answer::Said(message)) => out.write(&message, answers.text()),
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

/// Bytes that are written at once.
const BLOCK: usize = 64 * 1024;

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
    stdout: BufWriter<File>,
    stderr: BufWriter<StderrLock<'static>>,
    /// Where the last one went. What is in one buffer comes before what goes into the other.
    last: LogStream,
}

impl Out {
    fn new(form: Form) -> io::Result<Self> {
        let (stdout, stderr) =
            (BufWriter::with_capacity(BLOCK, unbuffered()?), BufWriter::new(io::stderr().lock()));
        Ok(Self { form, stdout, stderr, last: LogStream::Stdout })
    }

    /// Shows a text, and what stands before it.
    fn write(&mut self, message: &Message, text: &[u8]) -> io::Result<()> {
        let prefix = match self.form {
            Form::Json => {
                let time = stamp::format(message.time);
                for text in lines(text) {
                    json::write(&mut self.stdout, &Line::of(message, &time, text))?;
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
        let Some(longest) = prefix else { return out.write_all(text) };
        // Others may come between the pieces of a line, so with names each is a line.
        let prefix = format!("{:longest$} | ", message.task);
        for text in lines(text) {
            out.write_all(prefix.as_bytes())?;
            out.write_all(without_newline(text))?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()?;
        self.stderr.flush()
    }
}

/// The lines of a text with their newlines, or the piece of a line that it is. The end of a line whose
/// pieces were said before can be empty.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// A line as `logs --json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    task: &'a str,
    time: &'a str,
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// Whether the line goes on with the next one of the same stream. A line that does not end with
    /// the task is partial, too.
    partial: bool,
    /// With the replacement character for what is no text.
    text: Cow<'a, str>,
}

impl<'a> Line<'a> {
    fn of(message: &'a Message, time: &'a str, text: &'a [u8]) -> Self {
        Self {
            task: &message.task,
            time,
            stream: match message.stream {
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
            },
            source: message.source.as_deref(),
            partial: !text.ends_with(b"\n"),
            text: String::from_utf8_lossy(without_newline(text)),
        }
    }
}
