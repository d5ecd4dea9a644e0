use std::{
    io::{self, PipeReader, Read},
    os::fd::AsFd,
    process::{ChildStderr, ChildStdout},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
};
use time::UtcDateTime;

use super::state::Shared;
use crate::log::{LogWriter, MAX_RECORD, Record, Stream};

/// Copies the workload's output to its log, in a thread of its own, until `ended` is
/// closed at its other end and what is in the pipes has been read.
///
/// It does not wait for the end of the pipes: a process that is none of the task's
/// can have been given one.
pub(super) fn copy(
    stdout: ChildStdout,
    stderr: ChildStderr,
    ended: PipeReader,
    log: LogWriter,
    shared: Shared,
) -> io::Result<()> {
    let stdout = Source::new(stdout, Stream::Stdout)?;
    let stderr = Source::new(stderr, Stream::Stderr)?;
    thread::Builder::new().spawn(move || {
        let mut output = Output { stdout, stderr, log, shared };
        output.run(&ended);
    })?;
    Ok(())
}

struct Output {
    stdout: Source<ChildStdout>,
    stderr: Source<ChildStderr>,
    log: LogWriter,
    shared: Shared,
}

impl Output {
    fn run(&mut self, ended: &PipeReader) {
        let mut last = false;
        while !last {
            last = self.wait(ended);
            // Both in turn, a piece each, so that neither waits long for the other.
            loop {
                let out = self.stdout.read(&mut self.log);
                let err = self.stderr.read(&mut self.log);
                self.shared.log_error(self.log.error());
                if !(out || err) {
                    break;
                }
            }
        }
        self.stdout.finish(&mut self.log);
        self.stderr.finish(&mut self.log);
        self.log.finish();
        self.shared.log_error(self.log.error());
    }

    /// Waits until there is something to read. `true` if the workload has ended.
    fn wait(&self, ended: &PipeReader) -> bool {
        let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
        fds.extend(self.stdout.poll_fd());
        fds.extend(self.stderr.poll_fd());
        // An interrupted poll is taken for readiness: reading does not block.
        poll(&mut fds, None).is_ok() && fds.first().is_some_and(|fd| !fd.revents().is_empty())
    }
}

/// One of the two pipes, and the line that has begun to come out of it.
struct Source<P> {
    /// `None` after its end.
    pipe: Option<P>,
    stream: Stream,
    line: Vec<u8>,
}

impl<P: Read + AsFd> Source<P> {
    /// The flag is that of our end only: the workload's writes block as they should.
    fn new(pipe: P, stream: Stream) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { pipe: Some(pipe), stream, line: Vec::new() })
    }

    fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN))
    }

    /// Reads one piece. `false` if there is nothing to read for now.
    fn read(&mut self, log: &mut LogWriter) -> bool {
        let Some(pipe) = &mut self.pipe else {
            return false;
        };
        let mut piece = [0; 8192];
        match pipe.read(&mut piece) {
            Ok(0) => self.pipe = None,
            Ok(length) => {
                self.take(piece.get(..length).unwrap_or_default(), log);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
        false
    }

    fn take(&mut self, piece: &[u8], log: &mut LogWriter) {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, whole) = match line.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (line, false),
            };
            let mut rest = text;
            while self.line.len() + rest.len() > MAX_RECORD {
                let (head, tail) = rest.split_at(MAX_RECORD - self.line.len());
                self.line.extend_from_slice(head);
                self.write(true, log);
                rest = tail;
            }
            self.line.extend_from_slice(rest);
            if whole {
                self.write(false, log);
            }
        }
    }

    /// Writes what stands at the end without a newline.
    fn finish(&mut self, log: &mut LogWriter) {
        if !self.line.is_empty() {
            self.write(true, log);
        }
    }

    fn write(&mut self, partial: bool, log: &mut LogWriter) {
        log.append(&Record {
            at: UtcDateTime::now(),
            stream: self.stream,
            bytes: std::mem::take(&mut self.line),
            partial,
        });
    }
}
