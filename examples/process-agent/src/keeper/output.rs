//! Copies the workload's two output pipes to its log.

mod lines;

use std::{
    fs::File,
    io::{self, PipeReader, Read as _},
    os::fd::OwnedFd,
    process::{ChildStderr, ChildStdout},
    thread,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::ioctl_fionread,
};

use super::state::Shared;
use crate::log::{LogWriter, Stream};
use lines::{Moment, Output};

/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// Copies the workload's output to its log, in a thread of its own, until the other end of `ended`
/// is closed. Then it copies what is in the pipes at that moment.
///
/// It does not wait for the end of the pipes, because a process outside of the task may hold them
/// open.
pub(super) fn copy(
    stdout: ChildStdout,
    stderr: ChildStderr,
    ended: PipeReader,
    log: LogWriter,
    shared: Shared,
) -> io::Result<()> {
    let stdout = Source::new(stdout.into(), Stream::Stdout)?;
    let stderr = Source::new(stderr.into(), Stream::Stderr)?;
    thread::Builder::new().spawn(move || {
        let mut copy = Copy {
            sources: [stdout, stderr],
            output: Output::new(log),
            shared,
            buffer: vec![0; PIECE],
        };
        copy.run(&ended);
    })?;
    Ok(())
}

struct Copy {
    sources: [Source; 2],
    output: Output,
    shared: Shared,
    buffer: Vec<u8>,
}

impl Copy {
    fn run(&mut self, ended: &PipeReader) {
        loop {
            let due = self.output.flush_due(Moment::now());
            self.shared.log_error(self.output.error());
            if self.wait(ended, due) {
                break;
            }
            // Read each ready pipe once, then wait again. So the pipe that is ready first is read
            // first. Pipes that are ready together get the same time.
            let now = Moment::now();
            for source in &mut self.sources {
                if source.is_ready {
                    source.read(&mut self.buffer, &mut self.output, now);
                }
            }
        }
        let now = Moment::now();
        for source in &mut self.sources {
            source.read_rest(&mut self.buffer, &mut self.output, now);
        }
        self.output.finish(now);
        self.shared.log_error(self.output.error());
    }

    /// Waits until there is output, or until `due`. Returns `true` if the workload has ended.
    fn wait(&mut self, ended: &PipeReader, due: Option<Instant>) -> bool {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let pipes = self.sources.iter().filter_map(|source| source.pipe.as_ref());
        let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
        fds.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let polled = poll(&mut fds, left.as_ref()).is_ok(); // false if interrupted
        let ready: Vec<_> = fds.iter().map(|fd| polled && !fd.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        let has_ended = ready.next().unwrap_or(false);
        for source in &mut self.sources {
            source.is_ready = source.pipe.is_some() && ready.next().unwrap_or(false);
        }
        has_ended
    }
}

/// One of the two pipes.
struct Source {
    /// `None` after the end of the pipe.
    pipe: Option<File>,
    stream: Stream,
    is_ready: bool,
}

impl Source {
    /// Only this end becomes non-blocking. The workload's writes still block.
    fn new(pipe: OwnedFd, stream: Stream) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { pipe: Some(pipe.into()), stream, is_ready: false })
    }

    /// Reads once. Returns the number of bytes.
    fn read(&mut self, buffer: &mut [u8], output: &mut Output, now: Moment) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        match pipe.read(buffer) {
            Ok(length) if length > 0 => {
                let bytes = buffer.get(..length).unwrap_or_default();
                output.take(self.stream, bytes, now);
                return length;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Ok(_) | Err(_) => self.pipe = None,
        }
        0
    }

    /// Reads what is in the pipe now, and no more: another process with the pipe could write
    /// forever.
    fn read_rest(&mut self, buffer: &mut [u8], output: &mut Output, now: Moment) {
        let there = self.pipe.as_ref().and_then(|pipe| ioctl_fionread(pipe).ok());
        let mut left = there.and_then(|there| usize::try_from(there).ok()).unwrap_or(0);
        while left > 0 {
            match self.read(buffer, output, now) {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
    }
}
