//! `GET /api/tasks/ID/logs`: the log of a task, as a line of JSON for each line.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use hyper::header::CONTENT_TYPE;
use onward::ControllerError;
use onward::exec::{LogMessage, LogPublisher, LogStream, LogSubscriptionOptions};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::events::HEARTBEAT;
use super::routes::ApiError;
use super::served::App;
use super::server::Connection;
use crate::json;
use crate::kind::TaskExecutor;
use crate::log_line::{LogLine, lines};
use crate::logs::{parse_since, publish_logs};
use crate::socket::Message;
use crate::tasks::name;

/// The content type of lines of JSON.
const LINES: &str = "application/x-ndjson";

/// The largest number of messages that wait for a slow client.
const MAX_QUEUED: usize = 64;

/// The query of a request for a log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    tail: Option<u64>,
    since: Option<String>,
    #[serde(default)]
    follow: bool,
    stream: Option<String>,
}

impl Wanted {
    fn options(self) -> Result<LogSubscriptionOptions, ApiError> {
        let mut options = LogSubscriptionOptions::default();
        options.follow = self.follow;
        let since = self.since.as_deref().map(parse_since).transpose();
        options.since = since.map_err(|error| ApiError::query(format!("since: {error}")))?;
        if let Some(lines) = self.tail {
            options = options.with_tail(lines);
        }
        Ok(match self.stream.as_deref() {
            None => options,
            Some("stdout") => options.with_stream(LogStream::Stdout),
            Some("stderr") => options.with_stream(LogStream::Stderr),
            Some(other) => {
                let error = format!("stream: {other:?} is neither stdout nor stderr");
                return Err(ApiError::query(error));
            }
        })
    }
}

/// Answers with the log of a task. If the log cannot be read to its end, the last line has the
/// error.
pub(super) async fn logs<E: TaskExecutor + 'static>(
    State(app): State<Arc<App<E>>>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    Extension(connection): Extension<Connection>,
) -> Result<Response, ApiError> {
    let Query(wanted) = wanted.map_err(|error| ApiError::query(error.body_text()))?;
    let options = wanted.options()?;
    let view = app.tasks().task(&id).ok_or_else(|| ApiError::no_task(&id))?;
    let task = name(&view).to_owned();
    let permit = app.stream().ok_or_else(ApiError::busy)?;
    connection.set_stream();
    let (sender, receiver) = mpsc::channel(MAX_QUEUED);
    // It ends with the answer.
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        let (tasks, executor) = (app.tasks(), &app.served.executor);
        let lines = Lines { task, sender: sender.clone() };
        if let Err(error) = publish_logs(tasks, executor, &id, lines, options).await {
            let error = json!({ "error": format!("cannot read the log to its end: {error}") });
            _ = sender.send(Bytes::from(format!("{error}\n"))).await;
        }
    });
    let text = unfold((receiver, reading, permit), async |mut state| {
        // An empty line is sent if there is nothing else.
        let waited = timeout(HEARTBEAT, state.0.recv()).await;
        let part = waited.unwrap_or(Some(Bytes::from_static(b"\n")))?;
        Some((Ok::<_, io::Error>(part), state))
    });
    Ok(([(CONTENT_TYPE, LINES)], Body::from_stream(text)).into_response())
}

/// Sends the lines of a log as JSON.
struct Lines {
    task: String,
    sender: mpsc::Sender<Bytes>,
}

impl LogPublisher for Lines {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let head = Message::new(&self.task, &message);
        let mut text = Vec::new();
        for line in lines(&message.data) {
            json::write(&mut text, &LogLine::of(&head, line))?;
            text.push(b'\n');
        }
        let sent = self.sender.send(text.into()).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe).into())
    }
}
