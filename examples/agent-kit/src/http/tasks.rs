//! `GET /api/tasks` and `GET /api/tasks/ID`: the tasks as JSON.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use hyper::header::CONTENT_TYPE;
use onward::agent::worker::TaskView;
use serde::Serialize;
use time::UtcDateTime;
use tokio::task::spawn_blocking;

use super::routes::ApiError;
use super::served::App;
use crate::history::Life;
use crate::json;
use crate::kind::TaskExecutor;
use crate::listing::{Listed, ListedStatus, ListedTask, created_at, desired_state, note_of};
use crate::spec::TaskSpec;
use crate::stamp;
use crate::tasks::name;

/// The content type of JSON.
const JSON: &str = "application/json";

/// The number of tasks that are read at once. All tasks at once would take much memory and time.
const TASKS_PER_PART: usize = 50;

/// A task without its definition, for the table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    created_at: String,
    desired_state: &'static str,
    status: ListedStatus,
    #[serde(flatten)]
    driver: DriverProgress,
}

/// A task in the Engine API's form, with the progress of its driver.
#[derive(Debug, Serialize)]
struct Full {
    #[serde(flatten)]
    task: ListedTask,
    #[serde(flatten)]
    driver: DriverProgress,
}

/// One task with its history.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Detailed {
    #[serde(flatten)]
    task: Full,
    history: Life,
}

/// The progress of a task's driver. The Engine API has no such fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DriverProgress {
    /// When the task entered its state.
    #[serde(with = "stamp")]
    since: UtcDateTime,
    /// The last line of progress of `prepare`.
    #[serde(rename = "Progress", skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    /// The number of attempts of the current operation, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// When the operation is retried.
    #[serde(with = "stamp::optional", skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<UtcDateTime>,
    /// Why the task is not as wanted, if its status does not show it.
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

type View<E> = TaskView<TaskSpec<<E as onward::Executor>::Definition>>;

impl<E: TaskExecutor> App<E> {
    /// Returns the summary of a task.
    pub(super) fn summary(&self, view: &View<E>) -> Summary {
        Summary {
            id: view.id().to_owned(),
            name: name(view).to_owned(),
            created_at: created_at(view),
            desired_state: desired_state(view).as_str(),
            status: ListedStatus::of(&view.snapshot.status),
            driver: self.progress(view),
        }
    }

    fn progress(&self, view: &View<E>) -> DriverProgress {
        let snapshot = &view.snapshot;
        let next_attempt_at = snapshot
            .next_attempt
            .map(|at| UtcDateTime::now() + at.saturating_sub(self.served.vitals.runtime.now()));
        // While the task waits for the next attempt, it has made one attempt less.
        let made = |attempt: u32| attempt.checked_sub(next_attempt_at.is_some().into());
        DriverProgress {
            since: snapshot.since,
            line: snapshot.progress.clone(),
            attempt: snapshot.attempt.and_then(made).filter(|made| *made > 0),
            next_attempt_at,
            note: note_of(view),
        }
    }

    /// Returns a task with its definition. The executor may read files.
    fn full(&self, view: &View<E>) -> Full {
        let details = self.served.executor.details(view.id(), &view.snapshot.status);
        Full { task: Listed::of(view, details).task, driver: self.progress(view) }
    }
}

/// Answers with an array of all tasks.
pub(super) async fn tasks<E: TaskExecutor + 'static>(State(app): State<Arc<App<E>>>) -> Response {
    let views = app.tasks().tasks().into_iter();
    let parts = unfold((app, views, Some(b'[')), async |(app, mut views, before)| {
        let mut text = vec![before?];
        let part: Vec<_> = views.by_ref().take(TASKS_PER_PART).collect();
        if part.is_empty() {
            text.retain(|first| *first == b'[');
            text.extend(b"]\n");
            return Some((Ok(text), (app, views, None)));
        }
        let all = Arc::clone(&app);
        // The executor may read files.
        let written = spawn_blocking(move || {
            for (index, view) in part.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                json::write(&mut text, &all.full(view))?;
            }
            Ok(text)
        });
        let written: io::Result<_> = written.await.unwrap_or_else(|error| Err(error.into()));
        let before = written.is_ok().then_some(b',');
        Some((written, (app, views, before)))
    });
    ([(CONTENT_TYPE, JSON)], Body::from_stream(parts)).into_response()
}

/// Answers with one task and its history.
pub(super) async fn task<E: TaskExecutor + 'static>(
    State(app): State<Arc<App<E>>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let view = app.tasks().task(&id).ok_or_else(|| ApiError::no_task(&id))?;
    let written = spawn_blocking(move || {
        let task = Detailed { task: app.full(&view), history: app.recorded.history.of(&id) };
        let mut text = Vec::new();
        json::write(&mut text, &task)?;
        text.push(b'\n');
        Ok(text)
    });
    let written: io::Result<_> = written.await.unwrap_or_else(|error| Err(error.into()));
    let text =
        written.map_err(|error| ApiError::failed(format!("cannot list the task: {error}")))?;
    Ok(([(CONTENT_TYPE, JSON)], text).into_response())
}
