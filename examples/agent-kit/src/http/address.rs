use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The argument of `--http` is not an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is not an address; write one like 127.0.0.1:9100 or [::1]:9100, or a port alone, like \
     9100, which only this machine can reach"
)]
pub struct AddressError(String);

/// Parses `127.0.0.1:9100`, `[::1]:9100`, `:9100` or `9100`. A port alone is a port of 127.0.0.1.
/// Port 0 selects a free port.
///
/// # Errors
///
/// Fails for any other text, for example the name of a host.
pub fn parse_address(text: &str) -> Result<SocketAddr, AddressError> {
    let port = text.strip_prefix(':').unwrap_or(text);
    // `parse` would accept a sign.
    if port.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| AddressError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        parse_address(text).ok().map(|address| address.to_string())
    }

    #[test]
    fn a_port_alone_is_on_loopback() {
        assert_eq!(parsed("9100").as_deref(), Some("127.0.0.1:9100"));
        assert_eq!(parsed(":9100").as_deref(), Some("127.0.0.1:9100"));
        assert_eq!(parsed("0").as_deref(), Some("127.0.0.1:0"));
    }

    #[test]
    fn a_full_address_is_not_changed() {
        for text in ["127.0.0.1:9100", "[::1]:0", "0.0.0.0:9100", "[::]:9100"] {
            assert_eq!(parsed(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused_with_an_example() {
        for text in ["", ":", "::", "localhost:9100", "127.0.0.1", "70000", ":+1", "9100 ", "-1"] {
            let error = parse_address(text).map_err(|error| error.to_string());
            assert!(error.is_err_and(|error| error.contains("like 127.0.0.1:9100")), "{text:?}");
        }
    }
}
