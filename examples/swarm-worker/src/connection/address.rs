use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The port of a manager.
const PORT: u16 = 2377;

/// The address of a manager: a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not the address of a manager: {problem}; expected HOST or HOST:PORT, for example 192.0.2.1:2377"
)]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl Address {
    /// Returns the name or the IP address of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a worker can connect to it. A manager that does not know its own address gives
    /// `0.0.0.0`.
    pub fn is_specified(&self) -> bool {
        !self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses `HOST`, `HOST:PORT`, `IPV6` or `[IPV6]:PORT`. The default port is 2377.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |problem| AddressError { text: text.to_owned(), problem };
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: PORT });
        }
        if text.contains("://") {
            return Err(wrong("it has a scheme"));
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("a ] is missing"))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(wrong("no IPv6 address is between [ and ]"));
            }
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(wrong("something other than a port follows the ]")),
            }
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c)) {
            return Err(wrong("the host has a character that no host has"));
        }
        let port = match port.map(str::parse) {
            None => PORT,
            Some(Ok(port)) if port != 0 => port,
            Some(_) => return Err(wrong("the port is not a number from 1 to 65535")),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
