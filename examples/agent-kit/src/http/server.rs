use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::routes::routes;
use super::served::{App, Served};
use super::token::Token;
use crate::kind::TaskExecutor;
use crate::metrics::Recorded;

/// The largest number of connections. A further one closes the oldest that is not a stream.
const MAX_CLIENTS: usize = 96;

/// The longest duration of a connection, up to the last byte of the answer. It does not limit
/// streams.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest head of a request, in bytes: the smallest limit that hyper allows.
const MAX_HEAD: usize = 8192;

/// Largest number of headers in a request.
const MAX_HEADERS: usize = 64;

/// Time until the next attempt after `accept` has failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Other machines can reach the address, and there is no token.
    #[error(
        "--http {0}: other machines can reach this address, so a token is required: add \
         --http-token-file FILE, or name an address of this machine alone, such as 127.0.0.1:{port}",
        port = .0.port()
    )]
    Open(SocketAddr),
    /// Another program uses the address.
    #[error(
        "--http {0}: the address is in use; stop the program that listens there, or name another \
         address: port 0 stands for a free port"
    )]
    InUse(SocketAddr),
    /// The system refused the address for another reason.
    #[error("--http {address}: {error}; name another address, such as 127.0.0.1:0")]
    Failed {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
}

/// Serves an agent over HTTP: the status page, the API, metrics and health.
///
/// A client cannot block the agent. The number of connections, the duration of a connection and the
/// size of a request are limited.
#[derive(Debug)]
pub struct HttpServer {
    listener: std::net::TcpListener,
    address: SocketAddr,
    token: Option<Token>,
    recorded: Recorded,
}

impl HttpServer {
    /// Binds an address. Clients wait until [`serve`](Self::serve) is called.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use, or if the system refuses it. Fails without a token if the
    /// address is not a loopback address.
    pub fn bind(
        address: SocketAddr,
        token: Option<Token>,
        recorded: Recorded,
    ) -> Result<Self, BindError> {
        if token.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(BindError::Open(address));
        }
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, token, recorded })
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

    /// Returns the served metrics and histories.
    #[must_use]
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// Answers clients as long as the future is polled. If that is impossible, it logs the error
    /// and returns; the agent keeps running.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no further clients are accepted.
    pub async fn serve<E: TaskExecutor + 'static>(self, served: Served<E>) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot serve HTTP"),
        };
        let routes = routes(App::new(served, self.recorded), self.token);
        let mut clients = Clients::default();
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    let is_stream = Arc::<AtomicBool>::default();
                    let talk = talk(client, routes.clone(), Arc::clone(&is_stream));
                    let handle = tokio::spawn(talk).abort_handle();
                    clients.add(Client { handle, is_stream });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP client");
                    // File descriptors may be scarce, and the agent needs them more than the
                    // clients.
                    clients.close_all();
                    sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

/// The connection of a request.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// The address of the agent that the client has connected to.
    pub(super) local: IpAddr,
    is_stream: Arc<AtomicBool>,
}

impl Connection {
    /// Lets the answer take any time.
    pub(super) fn set_stream(&self) {
        self.is_stream.store(true, Ordering::Relaxed);
    }
}

/// The open connections, the oldest first.
#[derive(Default)]
struct Clients(VecDeque<Client>);

struct Client {
    handle: AbortHandle,
    is_stream: Arc<AtomicBool>,
}

impl Clients {
    fn add(&mut self, client: Client) {
        self.0.retain(|client| !client.handle.is_finished());
        while self.0.len() >= MAX_CLIENTS {
            let oldest = self.0.iter().position(|each| !each.is_stream.load(Ordering::Relaxed));
            let Some(client) = self.0.remove(oldest.unwrap_or_default()) else { break };
            client.handle.abort();
        }
        self.0.push_back(client);
    }

    fn close_all(&mut self) {
        self.0.drain(..).for_each(|client| client.handle.abort());
    }
}

/// Answers one request.
async fn talk(client: TcpStream, routes: Router, is_stream: Arc<AtomicBool>) {
    let Ok(local) = client.local_addr() else { return };
    let local = local.ip().to_canonical();
    let connection = Connection { local, is_stream: Arc::clone(&is_stream) };
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        routes.call(request)
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).half_close(true).header_read_timeout(None);
    http.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    tokio::select! {
        // hyper answers invalid requests.
        _ = http.serve_connection(TokioIo::new(client), service) => {}
        () = timed_out(&is_stream) => {}
    }
}

/// Completes when a connection that is not a stream has taken too long.
async fn timed_out(is_stream: &AtomicBool) {
    sleep(CLIENT_TIMEOUT).await;
    if is_stream.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    /// No test is expected to wait this long.
    const GUARD: Duration = Duration::from_secs(60);

    fn client(talk: &JoinHandle<()>, is_stream: bool) -> Client {
        Client { handle: talk.abort_handle(), is_stream: Arc::new(is_stream.into()) }
    }

    async fn assert_closed(talk: JoinHandle<()>) {
        let ended = timeout(GUARD, talk).await.expect("the connection is open");
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_beyond_the_limit_closes_the_oldest_connection_that_is_no_stream() {
        let mut clients = Clients::default();
        let mut answered = tokio::spawn(async {});
        (&mut answered).await.unwrap();
        clients.add(client(&answered, false));
        let slow = || tokio::spawn(std::future::pending::<()>());
        let (stream, first, second) = (slow(), slow(), slow());
        clients.add(client(&stream, true));
        clients.add(client(&first, false));
        clients.add(client(&second, false));
        for _ in 3..MAX_CLIENTS {
            clients.add(client(&slow(), false));
        }
        assert!(!first.is_finished());
        clients.add(client(&slow(), false));
        assert_closed(first).await;
        assert!(!second.is_finished() && !stream.is_finished());
        assert_eq!(clients.0.len(), MAX_CLIENTS);
        clients.close_all();
        assert_closed(second).await;
        assert_closed(stream).await;
    }
}
