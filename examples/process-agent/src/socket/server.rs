use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use onward::ControllerError;
use onward::agent::worker::TaskView;
use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use serde::Deserialize;
use time::UtcDateTime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Answer, NAME, Request, VERSION};
use crate::agent::{Order, Tasks, check_names, publish_logs};
use crate::controller::{ProcessExecutor, log_record};
use crate::keeper::address;
use crate::listing::Listed;

/// Bytes of the longest request that is read.
const MAX_REQUEST: u64 = 1 << 20;

/// How long nobody is let in when the system has too little of something.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct SocketError {
    /// The socket.
    path: PathBuf,
    /// What the system said.
    error: io::Error,
}

/// The agent's end of the socket, which is taken away when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
}

impl Server {
    /// Makes the socket in this state, which must be the caller's alone: what an agent has left
    /// there that was killed is replaced.
    ///
    /// # Errors
    ///
    /// The system makes none.
    pub fn bind(dir: &Path) -> Result<Self, SocketError> {
        let path = dir.join(NAME);
        let bind = || {
            let (_held, address) = address(dir, NAME)?;
            match fs::remove_file(&address) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&address)?;
            // Until here nobody else could enter the directory.
            fs::set_permissions(&address, Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        match bind() {
            Ok(listener) => Ok(Self { path, listener }),
            Err(error) => Err(SocketError { path, error }),
        }
    }

    /// Answers until it is dropped.
    pub async fn serve(
        &self,
        tasks: Tasks,
        executor: ProcessExecutor,
        orders: mpsc::UnboundedSender<Order>,
    ) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                // Those that have ended are forgotten.
                Some(_) = clients.join_next() => {}
                client = self.listener.accept() => match client {
                    Ok((client, _)) if is_own(&client) => {
                        let talk = Talk {
                            tasks: tasks.clone(),
                            executor: executor.clone(),
                            orders: orders.clone(),
                        };
                        clients.spawn(talk.with(client));
                    }
                    Ok(_) => tracing::warn!("another user's client was turned away"),
                    Err(error) => {
                        tracing::warn!(%error, "a client cannot be let in");
                        sleep(PAUSE).await;
                    }
                },
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

/// Whether the client is this process' user.
fn is_own(client: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    client.peer_cred().is_ok_and(|peer| peer.uid() == me)
}

/// One client.
struct Talk {
    tasks: Tasks,
    executor: ProcessExecutor,
    orders: mpsc::UnboundedSender<Order>,
}

impl Talk {
    /// Until all is said, or the client is gone.
    async fn with(self, client: UnixStream) {
        let (reader, writer) = client.into_split();
        let mut reader = BufReader::new(reader.take(MAX_REQUEST));
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).await.is_err() {
            return;
        }
        let out = Out(Arc::new(Mutex::new(writer)));
        let answered = async {
            let last = match read(&line) {
                Ok(request) => self.answer(request, &out).await,
                Err(refused) => Answer::Refused(refused),
            };
            _ = out.send(&last).await;
        };
        tokio::select! {
            () = answered => {}
            () = gone(reader.into_inner().into_inner()) => {}
        }
    }

    async fn answer(&self, request: Request, out: &Out) -> Answer {
        let done = match request {
            Request::Ps => {
                let tasks = self.tasks.tasks().iter().map(Listed::of).collect();
                _ = out.send(&Answer::Tasks(tasks)).await;
                Ok(())
            }
            Request::Logs { names, follow, tail, since } => {
                let options = log_options(follow, tail, since);
                self.logs(&names, &options, out).await
            }
            Request::Stop { names, wait } => self.stop(names, wait).await,
        };
        done.map_or_else(Answer::Refused, |()| Answer::Done)
    }

    async fn logs(
        &self,
        names: &[String],
        options: &LogSubscriptionOptions,
        out: &Out,
    ) -> Result<(), String> {
        let views = self.tasks.tasks();
        check_names(names, &views.iter().map(|view| view.record.id()).collect::<Vec<_>>())?;
        let published = names.iter().map(|name| async move {
            let said = Said { task: name.clone(), out: out.clone() };
            let read = publish_logs(&self.tasks, &self.executor, name, said, options.clone()).await;
            if let Err(error) = read {
                let failed = format!("the logs of {name} cannot be read to their end: {error:#}");
                _ = out.send(&Answer::Failed(failed)).await;
            }
        });
        join_all(published).await;
        Ok(())
    }

    async fn stop(&self, names: Vec<String>, wait: bool) -> Result<(), String> {
        let ends = || "the agent is ending".to_owned();
        let (told, answer) = oneshot::channel();
        let order = Order::Stop(names.clone(), told);
        self.orders.send(order).map_err(|_| ends())?;
        answer.await.map_err(|_| ends())??;
        if wait {
            let is_named = |id: &str| names.iter().any(|name| name == id);
            // A task that is being removed is followed by another one of its name.
            let is_over = |view: &TaskView<_>| {
                (view.has_ended() && !view.record.removing) || view.removal_error.is_some()
            };
            let are_over = self
                .tasks
                .until(|views| views.iter().filter(|view| is_named(view.id())).all(is_over));
            let views = are_over.await.map_err(|_| ends())?;
            let failed = views.iter().filter(|view| is_named(view.id())).find_map(|view| {
                let error = view.removal_error.as_deref().filter(|_| view.record.removing)?;
                Some(format!("the task {} could not be removed: {error}", view.id()))
            });
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

/// What a line asks for, or what is wrong with it.
fn read(line: &[u8]) -> Result<Request, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    #[derive(Deserialize)]
    struct Asked {
        request: Request,
    }
    let wrong = |error: serde_json::Error| {
        format!("this is no request: {error}; write {{\"version\":{VERSION},\"request\":\"ps\"}}")
    };
    let Version { version } = serde_json::from_slice(line).map_err(wrong)?;
    if version != VERSION {
        return Err(format!(
            "this agent speaks version {VERSION}, and was asked in version {version}; \
             use the same version of process-agent for both"
        ));
    }
    let Asked { request } = serde_json::from_slice(line).map_err(wrong)?;
    Ok(request)
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

/// Ready when the client is gone, or has no more to say, which is the same here.
async fn gone(mut reader: OwnedReadHalf) {
    while reader.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
}

/// Where the answers go.
#[derive(Clone)]
struct Out(Arc<Mutex<OwnedWriteHalf>>);

impl Out {
    async fn send(&self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.0.lock().await.write_all(&line).await
    }
}

/// Sends what one task says.
struct Said {
    task: String,
    out: Out,
}

impl LogPublisher for Said {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let record = String::from_utf8_lossy(&log_record(message).to_line())
            .trim_end_matches('\n')
            .to_owned();
        let task = self.task.clone();
        Ok(self.out.send(&Answer::Said { task, record }).await?)
    }
}
