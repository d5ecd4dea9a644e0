use std::error::Error as _;
use std::io;
use std::time::Duration;

use super::Address;
use crate::tls::TlsError;

/// Why there is no connection to a manager.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {reason}")]
pub struct ConnectError {
    address: Address,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("nothing listens at this address")]
    Refused,
    #[error("cannot connect: {0}")]
    Tcp(io::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Tls(TlsError),
    #[error("the connection was closed before it was secure; perhaps this is not a manager's port")]
    Closed,
    #[error("cannot use the connection: {0}")]
    Protocol(String),
}

impl ConnectError {
    pub(super) fn tcp(address: &Address, error: io::Error) -> Self {
        let refused = error.kind() == io::ErrorKind::ConnectionRefused;
        let reason = if refused { Reason::Refused } else { Reason::Tcp(error) };
        Self { address: address.clone(), reason }
    }

    pub(super) fn tls(address: &Address, error: io::Error) -> Self {
        let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let reason = match rustls {
            Some(error) => Reason::Tls(error.into()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Reason::Closed,
            None if error.kind() == io::ErrorKind::ConnectionReset => Reason::Closed,
            None => Reason::Tcp(error),
        };
        Self { address: address.clone(), reason }
    }

    pub(crate) fn config(address: &Address, error: &rustls::Error) -> Self {
        Self { address: address.clone(), reason: Reason::Tls(error.into()) }
    }

    pub(super) fn timed_out(address: &Address, limit: Duration) -> Self {
        Self { address: address.clone(), reason: Reason::TimedOut(limit) }
    }

    pub(super) fn protocol(address: &Address, error: &tonic::transport::Error) -> Self {
        // tonic's own message is "transport error".
        let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self { address: address.clone(), reason: Reason::Protocol(text) }
    }

    /// Returns what is wrong with the trust between both sides, if that is the reason.
    pub fn tls_error(&self) -> Option<&TlsError> {
        match &self.reason {
            Reason::Tls(error) => Some(error),
            Reason::Refused
            | Reason::Tcp(_)
            | Reason::TimedOut(_)
            | Reason::Closed
            | Reason::Protocol(_) => None,
        }
    }
}
