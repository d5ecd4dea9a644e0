//! The keeper's socket: sends clients a report at each change, and receives their requests.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    time::{Duration, Instant},
};

pub(super) use agent_kit::socket::address;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use super::{complain::complain, files, state::Report};

/// How long slow clients can delay the keeper's end.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to accept no clients after an `accept` has failed. A lack of descriptors may pass, and
/// a busy loop would not help.
const PAUSE: Duration = Duration::from_millis(100);

/// Largest request in bytes.
const MAX_REQUEST: usize = 4096;

/// A request of a client, sent as one line of JSON. An empty request asks the keeper to check
/// whether its directory still exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    /// Send the stop signal now, and `KILL` after the grace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stop: bool,
    /// Send `KILL` now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) kill: bool,
}

/// The keeper's end of its socket. Only [`finish`](Self::finish) can block.
#[derive(Debug)]
pub(super) struct Server {
    listener: UnixListener,
    clients: Vec<Client>,
    /// The last report as a line. The next field counts the reports.
    line: Vec<u8>,
    version: u64,
    /// When to accept clients again.
    paused_until: Option<Instant>,
}

impl Server {
    /// Binds the socket in `dir`.
    pub(super) fn bind(dir: &Path) -> io::Result<Self> {
        let (_held, path) = address(dir, files::SOCKET)?;
        // A keeper that failed before its start left the socket. This process has the lock.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        let (clients, line) = (Vec::new(), Vec::new());
        Ok(Self { listener, clients, line, version: 0, paused_until: None })
    }

    /// Sets the report for all clients.
    pub(super) fn publish(&mut self, report: &Report) {
        match serde_json::to_vec(report) {
            Ok(mut line) => {
                line.push(b'\n');
                self.line = line;
                self.version += 1;
            }
            Err(error) => complain(&format!("cannot encode the state: {error}")),
        }
    }

    /// Returns the descriptors to poll. Call [`serve`](Self::serve) when one is ready.
    pub(super) fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listens = if self.paused_until.is_none() { PollFlags::IN } else { PollFlags::empty() };
        let listener = PollFd::new(&self.listener, listens);
        std::iter::once(listener).chain(self.clients.iter().map(Client::poll_fd))
    }

    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Returns when to call [`serve`](Self::serve) if no descriptor is ready before.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Accepts clients, reads their requests, and sends them the report. Returns all requests,
    /// including those of clients that have closed their connections.
    pub(super) fn serve(&mut self) -> Served {
        let mut served = Served::default();
        self.accept();
        let (line, version) = (&self.line, self.version);
        self.clients.retain_mut(|client| {
            let stays = client.read(&mut served.requests) && client.tell(line, version).is_ok();
            served.left |= !stays;
            stays
        });
        served
    }

    /// Waits until each client has received the last report, or does not read.
    pub(super) fn finish(&mut self) {
        let deadline = Instant::now() + WRITE_TIMEOUT;
        loop {
            self.serve();
            self.clients.retain(|client| client.sent < self.version || !client.output.is_empty());
            let left = deadline.saturating_duration_since(Instant::now());
            if self.clients.is_empty() || left.is_zero() {
                return;
            }
            let mut fds: Vec<PollFd<'_>> = self.clients.iter().map(Client::poll_fd).collect();
            let timeout = Timespec::try_from(left).ok();
            let _ = poll(&mut fds, timeout.as_ref()); // if interrupted, poll again
        }
    }

    fn accept(&mut self) {
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.paused_until = None;
        loop {
            let accepted = self.listener.accept().and_then(|(stream, _)| Client::new(stream));
            match accepted {
                Ok(client) => self.clients.push(client),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    complain(&format!("cannot serve a client: {error}"));
                    self.paused_until = Some(Instant::now() + PAUSE);
                    return;
                }
            }
        }
    }
}

/// The result of [`Server::serve`].
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) requests: Vec<Request>,
    /// Whether a client has disconnected.
    pub(super) left: bool,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    /// The first part of a request that is not complete.
    input: Vec<u8>,
    /// Whether the client can send more.
    sends: bool,
    /// The unsent rest of a report.
    output: Vec<u8>,
    /// The number of the last report whose sending has begun.
    sent: u64,
}

impl Client {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, input: Vec::new(), sends: true, output: Vec::new(), sent: 0 })
    }

    fn poll_fd(&self) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.sends);
        flags.set(PollFlags::OUT, !self.output.is_empty());
        PollFd::new(&self.stream, flags)
    }

    /// Reads the available requests. Returns `false` if the client is gone.
    fn read(&mut self, requests: &mut Vec<Request>) -> bool {
        let mut piece = [0; 512];
        while self.sends {
            match self.stream.read(&mut piece) {
                Ok(0) => self.sends = false,
                Ok(length) => {
                    self.input.extend_from_slice(piece.get(..length).unwrap_or_default());
                    self.take_requests(requests);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        !self.has_hung_up()
    }

    /// Whether the client has closed both directions. A client that has closed only its writing
    /// half still gets reports.
    fn has_hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let gone = PollFlags::HUP | PollFlags::ERR;
        poll(&mut fds, Some(&now)).is_ok() && fds.iter().any(|fd| fd.revents().intersects(gone))
    }

    fn take_requests(&mut self, requests: &mut Vec<Request>) {
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(request) => requests.push(request),
                Err(error) => {
                    let line = String::from_utf8_lossy(&line);
                    complain(&format!(
                        "{:?} is not a request ({error}); write {{\"stop\":true}} or {{\"kill\":true}}",
                        line.trim_end()
                    ));
                }
            }
        }
        if self.input.len() > MAX_REQUEST {
            complain(&format!("ignored a request of more than {MAX_REQUEST} bytes"));
            self.input.clear();
        }
    }

    /// Writes as much as the client takes now. A client that has not read an earlier report
    /// completely gets only the last one after it.
    fn tell(&mut self, line: &[u8], version: u64) -> io::Result<()> {
        loop {
            if self.output.is_empty() {
                if self.sent == version {
                    return Ok(());
                }
                self.output.extend_from_slice(line);
                self.sent = version;
            }
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
