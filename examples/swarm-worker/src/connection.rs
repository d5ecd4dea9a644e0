//! The connection to one manager.

mod address;
mod dial;
mod error;

use std::fmt;
use std::sync::Mutex;

use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::tls::TlsConfig;
use crate::wire::ca_client::CaClient;
use crate::wire::dispatcher_client::DispatcherClient;
use crate::wire::log_broker_client::LogBrokerClient;
use crate::wire::node_ca_client::NodeCaClient;
pub use address::{Address, AddressError};
pub use error::ConnectError;

/// The most bytes of a message from a manager, which is what managers use among themselves.
const LARGEST_MESSAGE: usize = 128 * 1024 * 1024;

/// The most bytes of a message from a server that is not trusted yet.
const LARGEST_UNTRUSTED: usize = 1024 * 1024;

/// A connection to one manager. A clone is the same connection.
///
/// It is not made anew when it is lost. Then calls that have been sent fail with the code `Unknown`
/// or `Cancelled`, and later calls with the code `Unavailable`.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    address: Address,
}

/// Connects to a manager. Tries for at most 5 s.
///
/// The manager must have a certificate that `config` trusts. It need not agree on HTTP/2 by ALPN,
/// since managers do not after they have renewed their own certificate.
///
/// # Errors
///
/// Fails if nothing listens at the address, or if one side does not trust the other.
///
/// # Cancel safety
///
/// If the future is dropped, the connection is closed.
pub async fn connect(address: &Address, config: &TlsConfig) -> Result<Connection, ConnectError> {
    let stream = dial::dial(address, config).await?;
    let stream = Mutex::new(Some(stream));
    let once = tower::service_fn(move |_| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async { stream.ok_or_else(lost) }
    });
    // The connector has the address and does TLS, so this one only goes into requests.
    let channel = Endpoint::from_static("http://swarm-manager")
        .connect_with_connector(once)
        .await
        .map_err(|error| ConnectError::protocol(address, &error))?;
    Ok(Connection { channel, address: address.clone() })
}

/// The error of a call when the connection is lost.
fn lost() -> Status {
    Status::unavailable("the connection to the manager is lost")
}

impl Connection {
    /// Returns the address of the manager.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the client that asks for the roots of the swarm. Its answers may have 1 MiB.
    pub fn ca(&self) -> CaClient<Channel> {
        CaClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_UNTRUSTED)
    }

    /// Returns the client that asks for certificates. Its answers may have 1 MiB.
    pub fn node_ca(&self) -> NodeCaClient<Channel> {
        NodeCaClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_UNTRUSTED)
    }

    /// Returns the client for sessions and tasks. Its answers may have 128 MiB.
    pub fn dispatcher(&self) -> DispatcherClient<Channel> {
        DispatcherClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Returns the client for logs. Its answers may have 128 MiB.
    pub fn log_broker(&self) -> LogBrokerClient<Channel> {
        LogBrokerClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}
