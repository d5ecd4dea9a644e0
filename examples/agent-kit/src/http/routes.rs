//! The paths of the server, and the headers of all answers.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{StatusCode, Uri};
use serde::Serialize;

use super::events::events;
use super::files;
use super::guard::{check_host, check_site, check_token};
use super::logs::logs;
use super::served::{App, MAX_STREAMS};
use super::server::Connection;
use super::tasks::{task, tasks};
use super::token::Token;
use crate::kind::TaskExecutor;
use crate::view::one_line;

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a page of the agent may do: load its own files, and send requests to the agent. It cannot
/// be in a frame, and it cannot make elements or scripts of a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// Headers of every answer.
const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// Makes the routes. Only the files of the page are sent without the token: they have no data.
pub(super) fn routes<E: TaskExecutor + 'static>(app: App<E>, token: Option<Token>) -> Router {
    let data = Router::new()
        .route("/api/tasks", get(tasks::<E>))
        .route("/api/tasks/{id}", get(task::<E>))
        .route("/api/tasks/{id}/logs", get(logs::<E>))
        .route("/api/events", get(events::<E>))
        .route("/metrics", get(metrics::<E>))
        .route("/healthz", get(health::<E>))
        .route_layer(from_fn_with_state(Arc::new(token), guard_data))
        .with_state(Arc::new(app));
    files::routes()
        .merge(data)
        .fallback(async || {
            let text =
                "not found; this server has /, /api/tasks, /api/events, /metrics and /healthz\n";
            (StatusCode::NOT_FOUND, text)
        })
        .method_not_allowed_fallback(async |uri: Uri| {
            let text = format!("{} supports only GET and HEAD\n", uri.path());
            (StatusCode::METHOD_NOT_ALLOWED, text)
        })
        .layer(from_fn(guard_host))
}

/// Answers a request with the right host, and adds the headers.
async fn guard_host(
    Extension(to): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match check_host(&parts, to.local) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Answers a request for data if it is from this site and has the token.
async fn guard_data(
    State(token): State<Arc<Option<Token>>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let checked = check_site(headers).and_then(|()| check_token(headers, Option::as_ref(&token)));
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn metrics<E: TaskExecutor>(State(app): State<Arc<App<E>>>) -> Response {
    match app.served.vitals.metrics(&app.recorded.metrics) {
        Ok(text) => ([(CONTENT_TYPE, METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error + "\n").into_response(),
    }
}

async fn health<E: TaskExecutor>(State(app): State<Arc<App<E>>>) -> Response {
    match app.served.vitals.problem(&app.recorded.metrics) {
        None => "ok\n".into_response(),
        Some(problem) => {
            (StatusCode::SERVICE_UNAVAILABLE, one_line(&problem) + "\n").into_response()
        }
    }
}

/// An error of the API, in the form of the Engine API.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// The query of the request is wrong.
    pub(super) fn query(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// There is no such task.
    pub(super) fn no_task(id: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: format!("there is no task {id:?}") }
    }

    /// Too many streams are open.
    pub(super) fn busy() -> Self {
        let message = format!("{MAX_STREAMS} streams are open; close a page, and try again");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message }
    }

    /// The agent cannot answer.
    pub(super) fn failed(message: String) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
