use std::fs::File;
use std::io::{self, BufWriter, StderrLock, Write};
use std::process::ExitCode;

use onward::exec::LogStream;

use super::arguments::Logs;
use super::stdout::{unbuffered, unless_unread};
use crate::json;
use crate::log_line::{LogLine, lines, without_newline};
use crate::program::Program;
use crate::socket::{Answer, Message, Request, ask};

pub(super) fn logs(program: Program, arguments: Logs) -> anyhow::Result<ExitCode> {
    let Logs { state, follow, tail, since, json, names } = arguments;
    let prefix = (names.len() > 1).then(|| names.iter().map(String::len).max().unwrap_or(0));
    let mut out = Out::new(if json { Form::Json } else { Form::Text { prefix } })?;
    let mut code = ExitCode::SUCCESS;
    // Only the JSON shows the times.
    let request = Request::Logs { names, follow, tail, since, times: json };
    let mut answers = ask(program, &state.dir, &request)?;
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
        // Flush when no more output is ready. This way output appears at once, and a large amount
        // of it is written in blocks.
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

/// How lines are printed.
enum Form {
    /// As text. If there are several tasks, each line starts with the name of its task, padded to
    /// this width.
    Text { prefix: Option<usize> },
    /// One JSON object per line.
    Json,
}

/// Standard output and standard error of `logs`.
struct Out {
    form: Form,
    stdout: BufWriter<File>,
    stderr: BufWriter<StderrLock<'static>>,
    /// The stream of the last text. Its buffer is flushed before the other one is used.
    last: LogStream,
}

impl Out {
    fn new(form: Form) -> io::Result<Self> {
        let (stdout, stderr) =
            (BufWriter::with_capacity(BLOCK, unbuffered()?), BufWriter::new(io::stderr().lock()));
        Ok(Self { form, stdout, stderr, last: LogStream::Stdout })
    }

    /// Prints a text with the name of its task or as JSON.
    fn write(&mut self, message: &Message, text: &[u8]) -> io::Result<()> {
        let prefix = match self.form {
            Form::Json => {
                for text in lines(text) {
                    json::write(&mut self.stdout, &LogLine::of(message, text))?;
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
        // Lines of other tasks may come between two pieces of a line. So with names, each piece
        // becomes a line.
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
