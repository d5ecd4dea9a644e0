use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::families::Metrics;
use super::vitals::Vitals;
use crate::kind::Definition;
use crate::view::one_line;

/// How many clients there may be at once. One more ends the oldest.
const CLIENTS: usize = 16;

/// How long a client may take, from the connection to the last byte of the answer.
const TIME: Duration = Duration::from_secs(5);

/// Bytes of the longest head of a request that is read: the least that hyper can be told.
const MAX_HEAD: usize = 8192;

/// Headers that a request may have.
const MAX_HEADERS: usize = 64;

/// Time until the next try, if the system lets no client in.
const AGAIN: Duration = Duration::from_secs(1);

/// The content type of Prometheus' text form.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of all other answers.
const TEXT: &str = "text/plain; charset=utf-8";

/// Metrics cannot be served at an address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error(
        "--metrics {0}: the address is in use; stop the program that listens there, or name \
         another address: port 0 stands for a free port"
    )]
    InUse(SocketAddr),
    /// The system does not give it.
    #[error("--metrics {address}: {error}; name another address, such as 127.0.0.1:0")]
    Failed {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

/// Serves metrics and health over HTTP. It answers `GET /metrics` and `GET /healthz`.
///
/// A client cannot hold up the agent: there are limits to how many are answered at once, how long
/// each may take, and how much it may send.
#[derive(Debug)]
pub struct MetricsServer {
    listener: std::net::TcpListener,
    address: SocketAddr,
    metrics: Arc<Metrics>,
}

impl MetricsServer {
    /// Reserves an address. Clients wait until [`serve`](Self::serve) is called.
    ///
    /// # Errors
    ///
    /// The address is in use, or the system does not give it.
    pub fn bind(address: SocketAddr, metrics: Arc<Metrics>) -> Result<Self, BindError> {
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, metrics })
        };
        bind().map_err(|error: io::Error| {
            let is_in_use = error.kind() == io::ErrorKind::AddrInUse;
            if is_in_use { BindError::InUse(address) } else { BindError::Failed { address, error } }
        })
    }

    /// The address, with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The metrics that are served.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Answers for as long as it is polled. If it cannot, that is logged, and the agent goes on.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, no more clients are let in.
    pub async fn serve<D: Definition>(self, vitals: Vitals<D>) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "metrics are not served"),
        };
        let served = Arc::new((self.metrics, vitals));
        let mut clients = Clients::default();
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    let served = Arc::clone(&served);
                    let talk = async move { talk(client, &served.0, &served.1).await };
                    clients.add(tokio::spawn(timeout(TIME, talk)).abort_handle());
                }
                Err(error) => {
                    tracing::warn!(%error, "a client of the metrics cannot be let in");
                    // Descriptors may be scarce, and the agent needs them more.
                    clients.leave(0);
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

/// The clients that are being answered, the oldest first.
#[derive(Default)]
struct Clients(VecDeque<AbortHandle>);

impl Clients {
    fn add(&mut self, client: AbortHandle) {
        self.0.retain(|client| !client.is_finished());
        self.leave(CLIENTS - 1);
        self.0.push_back(client);
    }

    /// Ends the oldest ones until there are no more than this.
    fn leave(&mut self, most: usize) {
        let ended = self.0.len().saturating_sub(most);
        self.0.drain(..ended).for_each(|client| client.abort());
    }
}

/// Answers one request.
async fn talk<D: Definition>(client: TcpStream, metrics: &Metrics, vitals: &Vitals<D>) {
    let service = service_fn(|request: Request<_>| {
        let (method, path) = (request.method(), request.uri().path());
        std::future::ready(Ok::<_, Infallible>(answer(method, path, metrics, vitals)))
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).half_close(true).header_read_timeout(None);
    http.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    // What is no request is answered by hyper.
    _ = http.serve_connection(TokioIo::new(client), service).await;
}

fn answer<D: Definition>(
    method: &Method,
    path: &str,
    metrics: &Metrics,
    vitals: &Vitals<D>,
) -> Response<String> {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    match path {
        "/metrics" | "/healthz" if !is_read => {
            let text =
                format!("{path} can only be read, with GET; there are /metrics and /healthz");
            let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
        "/metrics" => match vitals.metrics(metrics) {
            Ok(text) => response(StatusCode::OK, METRICS, text),
            Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error),
        },
        "/healthz" => match vitals.problem(metrics) {
            None => response(StatusCode::OK, TEXT, "ok".to_owned()),
            Some(problem) => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, one_line(&problem)),
        },
        _ => {
            let text = "there is nothing here; there are /metrics and /healthz";
            response(StatusCode::NOT_FOUND, TEXT, text.to_owned())
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, mut text: String) -> Response<String> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tokio::task::JoinError;
    use tokio::time::error::Elapsed;

    /// Nothing is expected to take that long.
    const GUARD: Duration = Duration::from_secs(60);

    #[track_caller]
    fn assert_ended(ended: Result<Result<(), JoinError>, Elapsed>) {
        assert!(ended.is_ok_and(|ended| ended.is_err_and(|error| error.is_cancelled())));
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_too_many_ends_the_oldest_that_is_still_answered() {
        let mut clients = Clients::default();
        let answered = tokio::spawn(async {});
        let answered_handle = answered.abort_handle();
        answered.await.unwrap();
        clients.add(answered_handle);
        let slow = || tokio::spawn(std::future::pending::<()>());
        let (first, second) = (slow(), slow());
        clients.add(first.abort_handle());
        clients.add(second.abort_handle());
        for _ in 2..CLIENTS {
            clients.add(slow().abort_handle());
        }
        assert!(!first.is_finished());
        clients.add(slow().abort_handle());
        assert_ended(timeout(GUARD, first).await);
        assert!(!second.is_finished());
        assert_eq!(clients.0.len(), CLIENTS);
        clients.leave(0);
        assert_ended(timeout(GUARD, second).await);
    }
}
