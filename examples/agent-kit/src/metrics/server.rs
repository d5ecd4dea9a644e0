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

/// The largest number of connections. A further one closes the oldest.
const MAX_CLIENTS: usize = 16;

/// The longest duration of a connection, up to the last byte of the answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest head of a request, in bytes: the smallest limit that hyper allows.
const MAX_HEAD: usize = 8192;

/// Largest number of headers in a request.
const MAX_HEADERS: usize = 64;

/// Time until the next attempt after `accept` has failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type of all other answers.
const TEXT: &str = "text/plain; charset=utf-8";

/// Why metrics cannot be served at an address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program uses the address.
    #[error(
        "--metrics {0}: the address is in use; stop the program that listens there, or name \
         another address: port 0 stands for a free port"
    )]
    InUse(SocketAddr),
    /// The system refused the address for another reason.
    #[error("--metrics {address}: {error}; name another address, such as 127.0.0.1:0")]
    Failed {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
}

/// Serves metrics and health over HTTP: `GET /metrics` and `GET /healthz`.
///
/// A client cannot block the agent. The number of connections, the duration of a connection and the
/// size of a request are limited.
#[derive(Debug)]
pub struct MetricsServer {
    listener: std::net::TcpListener,
    address: SocketAddr,
    metrics: Arc<Metrics>,
}

impl MetricsServer {
    /// Binds an address. Clients wait until [`serve`](Self::serve) is called.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use, or if the system refuses it.
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

    /// Returns the address with its actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the served metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Answers clients as long as the future is polled. If that is impossible, it logs the error
    /// and returns; the agent keeps running.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no further clients are accepted.
    pub async fn serve<D: Definition>(self, vitals: Vitals<D>) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot serve metrics"),
        };
        let served = Arc::new((self.metrics, vitals));
        let mut clients = Clients::default();
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    let served = Arc::clone(&served);
                    let talk = async move { talk(client, &served.0, &served.1).await };
                    clients.add(tokio::spawn(timeout(CLIENT_TIMEOUT, talk)).abort_handle());
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a metrics client");
                    // File descriptors may be scarce, and the agent needs them more than the
                    // clients.
                    clients.leave(0);
                    sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

/// The open connections, the oldest first.
#[derive(Default)]
struct Clients(VecDeque<AbortHandle>);

impl Clients {
    fn add(&mut self, client: AbortHandle) {
        self.0.retain(|client| !client.is_finished());
        self.leave(MAX_CLIENTS - 1);
        self.0.push_back(client);
    }

    /// Closes the oldest connections until at most this many are left.
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
    // hyper answers invalid requests.
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
            let text = format!("{path} supports only GET and HEAD");
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
            let text = "not found; this server has /metrics and /healthz";
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

    /// No test is expected to wait this long.
    const GUARD: Duration = Duration::from_secs(60);

    #[track_caller]
    fn assert_ended(ended: Result<Result<(), JoinError>, Elapsed>) {
        assert!(ended.is_ok_and(|ended| ended.is_err_and(|error| error.is_cancelled())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_beyond_the_limit_closes_the_oldest_connection() {
        let mut clients = Clients::default();
        let answered = tokio::spawn(async {});
        let answered_handle = answered.abort_handle();
        answered.await.unwrap();
        clients.add(answered_handle);
        let slow = || tokio::spawn(std::future::pending::<()>());
        let (first, second) = (slow(), slow());
        clients.add(first.abort_handle());
        clients.add(second.abort_handle());
        for _ in 2..MAX_CLIENTS {
            clients.add(slow().abort_handle());
        }
        assert!(!first.is_finished());
        clients.add(slow().abort_handle());
        assert_ended(timeout(GUARD, first).await);
        assert!(!second.is_finished());
        assert_eq!(clients.0.len(), MAX_CLIENTS);
        clients.leave(0);
        assert_ended(timeout(GUARD, second).await);
    }
}
