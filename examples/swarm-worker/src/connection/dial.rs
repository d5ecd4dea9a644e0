use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_user_timeout,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Address, ConnectError};
use crate::tls::TlsConfig;

/// How long to try to connect, with TLS.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may be silent before the system checks it, and between two checks.
///
/// HTTP/2's own pings are no alternative: a manager closes a connection that has more than two of
/// them in five minutes.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long the manager's system may leave data unacknowledged, in milliseconds.
const UNACKNOWLEDGED: u32 = 20_000;

pub(super) async fn dial(
    address: &Address,
    config: &TlsConfig,
) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectError> {
    match timeout(CONNECT, encrypted(address, config)).await {
        Ok(connected) => connected.map(TokioIo::new),
        Err(_) => Err(ConnectError::timed_out(address, CONNECT)),
    }
}

async fn encrypted(
    address: &Address,
    config: &TlsConfig,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let stream = TcpStream::connect((address.host(), address.port()))
        .await
        .map_err(|error| ConnectError::tcp(address, error))?;
    configure(&stream).map_err(|error| ConnectError::tcp(address, error))?;
    TlsConnector::from(config.client.clone())
        .connect(config.name.clone(), stream)
        .await
        .map_err(|error| ConnectError::tls(address, error))
}

fn configure(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, KEEP_ALIVE)?;
    set_tcp_keepintvl(stream, KEEP_ALIVE)?;
    set_tcp_user_timeout(stream, UNACKNOWLEDGED)?;
    Ok(())
}
