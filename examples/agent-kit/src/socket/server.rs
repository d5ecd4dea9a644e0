use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use onward::ControllerError;
use onward::agent::worker::TaskView;
use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use time::UtcDateTime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, sleep, timeout};

use super::frame::{Frame, FrameWriter};
use super::message::Message;
use super::protocol::{Answer, NAME, Request};
use crate::board::Board;
use crate::kind::TaskExecutor;
use crate::listing::Listed;
use crate::logs::{PublishError, publish_logs};
use crate::tasks::{StopTasks, Tasks, ids, name};

/// Largest request in bytes.
const MAX_REQUEST: u64 = 1 << 20;

/// Time between two checks of conditions that send no event.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The longest duration of the inspection of an ended task: the default of
/// [`Policy::inspect_deadline`](onward::agent::Policy::inspect_deadline).
const MAX_INSPECTION: Duration = Duration::from_secs(10);

/// The largest number of answers that wait for a slow client.
const MAX_QUEUED: usize = 1024;

/// The number of tasks in one answer. All tasks at once would take much memory and time.
const TASKS_PER_ANSWER: usize = 50;

/// Lines are joined to texts of about this many bytes.
const JOINED: usize = 64 * 1024;

/// Why the socket could not be created.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct SocketError {
    /// The path of the socket.
    path: PathBuf,
    /// The error of the system.
    error: io::Error,
}

/// The agent's end of the socket. Dropping it removes the socket file.
#[derive(Debug)]
pub struct Server {
    /// The state directory.
    dir: File,
    listener: UnixListener,
    /// Device and inode of the socket file.
    identity: (u64, u64),
}

impl Server {
    /// Creates the socket in this state directory, which must be locked by the caller. A socket of
    /// an agent that was killed is replaced.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot create the socket.
    pub fn bind(dir: &Path) -> Result<Self, SocketError> {
        let failed = |error| SocketError { path: dir.join(NAME), error };
        let opened = File::open(dir).map_err(failed)?;
        let (listener, identity) = bind(&opened).map_err(failed)?;
        Ok(Self { dir: opened, listener, identity })
    }

    /// Answers clients until it is dropped. If the socket file is deleted, for example by a cleaner
    /// of old files, it is created again.
    pub async fn serve<E: TaskExecutor + 'static>(
        &mut self,
        tasks: Tasks<E::Definition>,
        executor: E,
        board: Arc<Board>,
        stopper: impl StopTasks,
    ) {
        let mut clients = JoinSet::new();
        let mut look = interval(CHECK_INTERVAL);
        loop {
            tokio::select! {
                // Drops the results of clients that are finished.
                Some(_) = clients.join_next() => {}
                client = self.listener.accept() => match client {
                    Ok((client, _)) => {
                        let talk = Talk {
                            tasks: tasks.clone(),
                            executor: executor.clone(),
                            board: Arc::clone(&board),
                            stopper: stopper.clone(),
                        };
                        clients.spawn(talk.with(client));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a client");
                        sleep(CHECK_INTERVAL).await;
                    }
                },
                _ = look.tick() => self.bind_again(),
            }
        }
    }

    /// Creates the socket again if its file is gone.
    fn bind_again(&mut self) {
        if identity(&self.dir).is_ok_and(|found| found == self.identity) {
            return;
        }
        match bind(&self.dir) {
            Ok((listener, identity)) => {
                (self.listener, self.identity) = (listener, identity);
                tracing::warn!("the agent's socket was deleted; created a new one");
            }
            Err(error) => {
                tracing::warn!(%error, "the agent's socket was deleted; cannot create a new one");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Do not remove the socket of another agent.
        if identity(&self.dir).is_ok_and(|found| found == self.identity) {
            _ = fs::remove_file(in_dir(&self.dir));
        }
    }
}

/// Returns the path of the socket by way of the open directory. It is short enough for a socket
/// address, and stays valid if the directory is moved.
fn in_dir(dir: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()))
}

fn identity(dir: &File) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(in_dir(dir))?;
    Ok((found.dev(), found.ino()))
}

fn bind(dir: &File) -> io::Result<(UnixListener, (u64, u64))> {
    let path = in_dir(dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    // Until here, no other user can enter the directory.
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok((listener, identity(dir)?))
}

/// Refuses a client of another user.
fn check_user(client: &UnixStream) -> Result<(), String> {
    let me = rustix::process::geteuid().as_raw();
    match client.peer_cred() {
        Ok(peer) if peer.uid() == me => Ok(()),
        Ok(peer) => Err(format!(
            "this agent belongs to user {me}, and the client to user {}; only user {me} can talk to it",
            peer.uid()
        )),
        Err(error) => Err(format!("cannot find out the user of the client: {error}")),
    }
}

/// The conversation with one client.
struct Talk<E: TaskExecutor, S> {
    tasks: Tasks<E::Definition>,
    executor: E,
    board: Arc<Board>,
    stopper: S,
}

impl<E: TaskExecutor + 'static, S: StopTasks> Talk<E, S> {
    /// Answers the client until the answer is complete or the client is gone.
    async fn with(self, client: UnixStream) {
        let allowed = check_user(&client);
        let (reader, writer) = client.into_split();
        let mut reader = BufReader::new(reader.take(MAX_REQUEST));
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).await.is_err() {
            return;
        }
        let (out, answers) = mpsc::channel(MAX_QUEUED);
        let answering = async move {
            let out = Out(out);
            let last = match allowed.and_then(|()| Request::parse(&line)) {
                Ok(request) => self.answer(request, &out).await,
                Err(refused) => Some(Answer::Refused(refused)),
            };
            if let Some(last) = last {
                _ = out.send(&last).await;
            }
        };
        tokio::select! {
            _ = futures::future::join(answering, write(answers, writer)) => {}
            () = gone(reader.into_inner().into_inner()) => {}
        }
    }

    /// Returns the last answer. `None` if the agent ended first.
    async fn answer(&self, request: Request, out: &Out) -> Option<Answer> {
        let done = match request {
            Request::Ps => self.ps(out).await,
            Request::Logs { names, follow, tail, since, times } => {
                let options = log_options(follow, tail, since);
                match self.logs(&names, &options, !times && !follow, out).await {
                    Ok(true) => Ok(()),
                    Ok(false) => return None,
                    Err(refused) => Err(refused),
                }
            }
            Request::Stop { names, wait } => self.stop(names, wait).await,
        };
        Some(done.map_or_else(Answer::Refused, |()| Answer::Done))
    }

    async fn ps(&self, out: &Out) -> Result<(), String> {
        let views = self.tasks.tasks();
        let (executor, sender) = (self.executor.clone(), out.clone());
        // The executor may read files. On a busy machine a change of threads takes milliseconds, so
        // one thread lists all tasks.
        let sent = spawn_blocking(move || {
            let list = |view: &TaskView<_>| {
                Listed::of(view, executor.details(view.id(), &view.snapshot.status))
            };
            let parts = views.chunks(TASKS_PER_ANSWER);
            let mut answers = parts.map(|part| Answer::Tasks(part.iter().map(list).collect()));
            // It fails if the client is gone.
            _ = answers.try_for_each(|answer| sender.blocking_send(&answer));
        });
        sent.await.map_err(|error| format!("cannot list the tasks: {error}"))?;
        for notice in self.board.notices() {
            _ = out.send(&Answer::Notice(notice)).await;
        }
        Ok(())
    }

    /// Sends the logs. Returns `false` if the agent ended before the tasks did.
    async fn logs(
        &self,
        names: &[String],
        options: &LogSubscriptionOptions,
        joins: bool,
        out: &Out,
    ) -> Result<bool, String> {
        let ids = ids(&self.tasks, names)?;
        let published = names.iter().zip(&ids).map(|(name, id)| async move {
            let (task, out) = (name.clone(), out.clone());
            let mut sender = LogSender { task, out, joins, joined: None };
            let options = options.clone();
            let read = publish_logs(&self.tasks, &self.executor, id, &mut sender, options).await;
            _ = sender.send().await;
            match read {
                Ok(()) => true,
                Err(PublishError::AgentEnded) => false,
                Err(PublishError::Failed(error)) => {
                    let failed =
                        format!("cannot read the log of task {name} to its end: {error:#}");
                    _ = sender.out.send(&Answer::Failed(failed)).await;
                    true
                }
            }
        });
        Ok(join_all(published).await.into_iter().all(|is_all| is_all))
    }

    async fn stop(&self, names: Vec<String>, wait: bool) -> Result<(), String> {
        let ends = || "the agent is ending".to_owned();
        // A task may be removed as soon as it has ended.
        let known = ids(&self.tasks, &names).unwrap_or_else(|_| names.clone());
        self.stopper.stop(names).await?;
        if wait {
            // A task that is being removed can have a successor of the same name.
            let is_over = |view: Option<&TaskView<_>>| {
                view.is_none_or(|view| {
                    (view.has_ended() && !view.record.removing) || view.removal_error.is_some()
                })
            };
            let ids = || known.iter().map(String::as_str);
            self.tasks.until_each(ids(), is_over).await.map_err(|_| ends())?;
            // The exit code is known after the last inspection, which may fail.
            let is_inspected = |view: Option<&TaskView<_>>| {
                let status = view.filter(|view| view.has_ended()).map(|view| &view.snapshot.status);
                let workload = status.and_then(|status| status.container_status.as_ref());
                workload.is_none_or(|workload| workload.pid.is_none())
            };
            _ = timeout(MAX_INSPECTION, self.tasks.until_each(ids(), is_inspected)).await;
            let failed = known.iter().find_map(|id| {
                let view = self.tasks.task(id).filter(|view| view.record.removing)?;
                let error = view.removal_error.as_ref()?;
                Some(format!("cannot remove the task {}: {error}", name(&view)))
            });
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

fn log_options(
    follow: bool,
    tail: Option<u64>,
    since: Option<UtcDateTime>,
) -> LogSubscriptionOptions {
    let mut options = LogSubscriptionOptions::default();
    options.follow = follow;
    options.since = since;
    match tail {
        Some(lines) => options.with_tail(lines),
        None => options,
    }
}

/// Completes when the client is gone. A client may close its writing half and keep reading. A
/// reader cannot tell the two apart; only `poll` can.
async fn gone(mut reader: OwnedReadHalf) {
    while reader.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
    while !has_hung_up(reader.as_ref()) {
        sleep(CHECK_INTERVAL).await;
    }
}

/// Whether both directions of a connection are closed.
fn has_hung_up(client: impl AsFd) -> bool {
    let mut client = [PollFd::new(&client, PollFlags::empty())];
    let looked = poll(&mut client, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let [client] = client;
    looked.is_err() || client.revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Writes the answers, as many at once as are ready.
async fn write(mut answers: mpsc::Receiver<Frame>, writer: OwnedWriteHalf) -> io::Result<()> {
    let mut writer = FrameWriter::new(writer);
    while let Some(first) = answers.recv().await {
        writer.add(&first).await?;
        while let Ok(next) = answers.try_recv() {
            writer.add(&next).await?;
        }
        writer.flush().await?;
    }
    Ok(())
}

/// The queue of answers to a client.
#[derive(Clone)]
struct Out(mpsc::Sender<Frame>);

impl Out {
    async fn send(&self, answer: &Answer) -> io::Result<()> {
        self.send_with(answer, Vec::new()).await
    }

    fn blocking_send(&self, answer: &Answer) -> io::Result<()> {
        let sent = self.0.blocking_send(Frame::new(answer, Vec::new())?);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    async fn send_with(&self, answer: &Answer, text: Vec<u8>) -> io::Result<()> {
        let sent = self.0.send(Frame::new(answer, text)?).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Sends the log of one task.
struct LogSender {
    task: String,
    out: Out,
    /// Whether lines are joined: it takes much less time to send them.
    joins: bool,
    /// Text that is not sent yet.
    joined: Option<LogMessage>,
}

impl LogSender {
    /// Sends the text that is not sent yet.
    async fn send(&mut self) -> io::Result<()> {
        let Some(message) = self.joined.take() else { return Ok(()) };
        let answer = Answer::Said(Message::new(&self.task, &message));
        self.out.send_with(&answer, message.data).await
    }
}

impl LogPublisher for &mut LogSender {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        match &mut self.joined {
            Some(joined) if can_join(joined, &message) => {
                joined.data.extend_from_slice(&message.data);
            }
            _ => {
                self.send().await?;
                self.joined = Some(message);
            }
        }
        if self.joins { Ok(()) } else { Ok(self.send().await?) }
    }
}

/// Whether two texts can be sent as one. A piece of a line is always sent on its own.
fn can_join(text: &LogMessage, next: &LogMessage) -> bool {
    let are_lines = [text, next].iter().all(|text| text.data.ends_with(b"\n"));
    let is_of_one = text.stream == next.stream && text.attributes == next.attributes;
    are_lines && is_of_one && text.data.len() < JOINED
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use onward::exec::LogStream;

    use super::*;
    use crate::socket::Frames;

    /// Returns the texts in which these messages arrive.
    async fn sent(joins: bool, messages: &[LogMessage]) -> Vec<(LogStream, Vec<u8>)> {
        let (out, answers) = mpsc::channel(MAX_QUEUED);
        let mut sender = LogSender { task: "web".to_owned(), out: Out(out), joins, joined: None };
        for message in messages {
            (&mut &mut sender).publish(message.clone()).await.unwrap();
        }
        sender.send().await.unwrap();
        drop(sender);
        let (client, agent) = std::os::unix::net::UnixStream::pair().unwrap();
        agent.set_nonblocking(true).unwrap();
        let (_, writer) = UnixStream::from_std(agent).unwrap().into_split();
        let reading = spawn_blocking(move || {
            let mut frames = Frames::new(client);
            let mut texts = Vec::new();
            while let Ok(answer) = frames.read() {
                let Answer::Said(message) = answer else { continue };
                texts.push((message.stream, frames.text().to_vec()));
            }
            texts
        });
        write(answers, writer).await.unwrap();
        timeout(Duration::from_secs(60), reading).await.expect("the texts end").unwrap()
    }

    #[tokio::test]
    async fn lines_arrive_joined_in_their_order_if_no_time_is_wanted() {
        use LogMessage as Message;
        let long = [vec![b'x'; JOINED], b"\n".to_vec()].concat();
        let messages = [
            Message::stdout("a\n"),
            Message::stdout("b\n"),
            Message::stderr("c\n"),
            Message::stdout("d\n"),
            Message::stdout("piece"),
            Message::stdout(" of a line\n"),
            Message::stdout(&*long),
            Message::stdout("e\n"),
        ];
        let each: Vec<_> = messages.iter().map(|text| (text.stream, text.data.clone())).collect();
        assert_eq!(sent(false, &messages).await, each);
        let (out, err) = (LogStream::Stdout, LogStream::Stderr);
        let lines = [b" of a line\n".to_vec(), long].concat();
        let expected = [
            (out, b"a\nb\n".to_vec()),
            (err, b"c\n".to_vec()),
            (out, b"d\n".to_vec()),
            (out, b"piece".to_vec()),
            (out, lines),
            (out, b"e\n".to_vec()),
        ];
        assert_eq!(sent(true, &messages).await, expected);
    }
}
