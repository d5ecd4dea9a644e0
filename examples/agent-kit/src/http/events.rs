//! `GET /api/events`: the tasks and their changes, as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use onward::TaskState;
use onward::lifecycle::EDGES;
use serde::Serialize;
use serde_json::json;
use time::UtcDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use super::routes::ApiError;
use super::served::App;
use super::server::Connection;
use super::tasks::Summary;
use crate::board::BoardView;
use crate::history::EdgeCount;
use crate::json;
use crate::kind::TaskExecutor;
use crate::stamp;

/// Time between two looks at the tasks. Changes in between are sent together.
const PAUSE: Duration = Duration::from_millis(100);

/// Time between two looks at the edges of the last minute, as long as there are any.
const EDGES_PAUSE: Duration = Duration::from_secs(1);

/// Time after which a comment is sent if there is nothing else, so that both sides notice a broken
/// connection.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// The largest number of tasks in one event.
const TASKS_PER_EVENT: usize = 100;

/// Answers with a stream of events: `agent`, the first `tasks`, `ready`, and then each change.
pub(super) async fn events<E: TaskExecutor + 'static>(
    State(app): State<Arc<App<E>>>,
    Extension(connection): Extension<Connection>,
) -> Result<Response, ApiError> {
    let permit = app.stream().ok_or_else(ApiError::busy)?;
    connection.set_stream();
    let feed = Feed {
        view: app.served.board.view(),
        app,
        phase: Phase::Begin,
        unsent: BTreeMap::new(),
        notices: Vec::new(),
        edges: Vec::new(),
        looked_at: Instant::now(),
        _permit: permit,
    };
    let events = unfold(feed, async |mut feed| {
        let event = feed.next().await;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// The events of one client: those that were sent, and the next ones.
struct Feed<E: TaskExecutor> {
    app: Arc<App<E>>,
    view: BoardView,
    phase: Phase,
    /// The ids of the tasks to send, and whether they were removed. A slow client gets only their
    /// last change.
    unsent: BTreeMap<String, bool>,
    notices: Vec<String>,
    edges: Vec<EdgeCount>,
    looked_at: Instant,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was sent.
    Begin,
    /// Not all tasks were sent.
    First,
    /// All tasks were sent.
    Ready,
}

/// The tasks of an event.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tasks {
    changed: Vec<Summary>,
    removed: Vec<String>,
}

impl<E: TaskExecutor> Feed<E> {
    /// Returns the next event. Waits until there is one.
    async fn next(&mut self) -> Event {
        if self.phase == Phase::Begin {
            self.look();
            self.phase = Phase::First;
            return self.agent();
        }
        loop {
            if !self.unsent.is_empty() {
                return self.tasks();
            }
            if self.phase == Phase::First {
                self.phase = Phase::Ready;
                return event("ready", &json!({}));
            }
            let notices = self.view.board().notices();
            if notices != self.notices {
                self.notices = notices;
                return event("notices", &self.notices);
            }
            let edges = self.app.recorded.history.recent_edges();
            if edges != self.edges {
                self.edges = edges;
                return event("edges", &self.edges);
            }
            self.wait().await;
            self.look();
        }
    }

    /// Waits for a change.
    async fn wait(&mut self) {
        let counts_edges = !self.edges.is_empty();
        tokio::select! {
            () = self.view.changed() => sleep_until(self.looked_at + PAUSE).await,
            () = sleep(EDGES_PAUSE), if counts_edges => {}
        }
    }

    fn look(&mut self) {
        self.looked_at = Instant::now();
        let changed = self.view.look();
        self.unsent.extend(changed.rows.into_iter().map(|row| (row.id, false)));
        self.unsent.extend(changed.removed.into_iter().map(|id| (id, true)));
    }

    /// Returns an event with some of the unsent tasks.
    fn tasks(&mut self) -> Event {
        let mut tasks = Tasks { changed: Vec::new(), removed: Vec::new() };
        for _ in 0..TASKS_PER_EVENT {
            let Some((id, was_removed)) = self.unsent.pop_first() else { break };
            match self.app.tasks().task(&id) {
                _ if was_removed => tasks.removed.push(id),
                Some(view) => tasks.changed.push(self.app.summary(&view)),
                // The agent is ending. The board, and the page, keep the last state of the task.
                None => {}
            }
        }
        event("tasks", &tasks)
    }

    /// Returns an event with what does not change: the agent and the table of transitions.
    fn agent(&self) -> Event {
        let states = TaskState::ALL
            .map(|state| json!({ "Name": state.as_str(), "IsTerminal": state.is_terminal() }));
        let edge = |edge: &onward::lifecycle::Transition| {
            let by: Vec<_> = edge.by.iter().map(|actor| actor.as_str()).collect();
            json!({ "From": edge.from, "To": edge.to, "By": by })
        };
        let agent = json!({
            "Name": self.app.served.program.name,
            "Version": env!("CARGO_PKG_VERSION"),
            "StartedAt": stamp::format(self.app.started_at),
            "Now": stamp::format(UtcDateTime::now()),
            "States": states,
            "Edges": EDGES.iter().map(edge).collect::<Vec<_>>(),
        });
        event("agent", &agent)
    }
}

/// Makes an event with JSON in one line.
fn event(name: &str, value: &impl Serialize) -> Event {
    let mut text = Vec::new();
    // Neither the vector nor any of the values fails.
    _ = json::write(&mut text, value);
    Event::default().event(name).data(String::from_utf8_lossy(&text))
}
