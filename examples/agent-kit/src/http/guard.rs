//! Who gets an answer: clients that use a name of this agent, pages of this agent, and clients that
//! have the token.
//!
//! A page of another site can make a browser send requests to the agent. Three checks stop it:
//!
//! - Its own name can be made to resolve to an address of the agent (DNS rebinding). Then the name
//!   is in the header `Host`, which is checked.
//! - Otherwise the browser sends `Sec-Fetch-Site` or `Origin`. The data is not sent to other sites.
//! - The token is in the header `Authorization`, which a browser never adds by itself. It is not in
//!   a cookie, because a browser sends a cookie to every port of the host.

use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use hyper::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{StatusCode, Version};

use super::token::Token;

/// The header with the relation between the page and the agent.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// The client used another name.
    Host,
    /// A page of another site sent the request.
    Site,
    /// The client does not have the token.
    Token,
}

/// Checks the name that the client used. `local` is the address that it has connected to.
pub(super) fn check_host(request: &Parts, local: IpAddr) -> Result<(), Refusal> {
    let headers = request.headers.get_all(HOST).iter();
    let in_headers = headers.map(|host| Authority::try_from(host.as_bytes()).ok());
    let mut names = in_headers.chain(request.uri.authority().cloned().map(Some)).peekable();
    // Every browser sends a name. HTTP/1.0 does not require one.
    let is_nameless = names.peek().is_none() && request.version != Version::HTTP_10;
    let is_own = |name: Option<Authority>| name.is_some_and(|name| is_own(name.host(), local));
    if !is_nameless && names.all(is_own) { Ok(()) } else { Err(Refusal::Host) }
}

/// Whether a name is one of loopback, or the address that the client has connected to.
fn is_own(name: &str, local: IpAddr) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match bare.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address == local
        }
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// Checks that no page of another site sent the request.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    let is_own_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let is_own_origin = origin.is_none_or(|origin| origin.strip_prefix(b"http://") == host);
    if is_own_site && is_own_origin { Ok(()) } else { Err(Refusal::Site) }
}

/// Checks that the client has the token, if there is one.
pub(super) fn check_token(headers: &HeaderMap, token: Option<&Token>) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).map_or(&b""[..], |given| given.as_bytes());
    let (scheme, given) = given.split_at_checked(b"Bearer ".len()).unwrap_or_default();
    let is_token = token.is(given) && scheme.eq_ignore_ascii_case(b"Bearer ");
    if is_token { Ok(()) } else { Err(Refusal::Token) }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Host => {
                let text = "refused: this agent answers only to localhost and to its own address; \
                            use one of them instead of another name\n";
                (StatusCode::MISDIRECTED_REQUEST, text).into_response()
            }
            Self::Site => {
                (StatusCode::FORBIDDEN, "refused: another site may not read this agent\n")
                    .into_response()
            }
            Self::Token => {
                let text = "refused: a token is required; send it in the header \
                            Authorization: Bearer TOKEN\n";
                let header = [(WWW_AUTHENTICATE, "Bearer")];
                (StatusCode::UNAUTHORIZED, header, text).into_response()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use hyper::Request;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_names_of_loopback_and_the_address_of_the_connection_are_answered() {
        let check = |host: &str, local: &str| {
            check_host(&parts("/", &[("host", host)]), local.parse().unwrap())
        };
        for host in ["localhost", "LocalHost:80", "127.0.0.1:1", "127.8.8.8", "[::1]:9100"] {
            assert_eq!(check(host, "127.0.0.1"), Ok(()), "{host}");
        }
        assert_eq!(check("192.0.2.7:9100", "192.0.2.7"), Ok(()));
        assert_eq!(check("[2001:db8::7]", "2001:db8::7"), Ok(()));
        for host in ["evil.example", "192.0.2.7", "localhost.evil.example", "127.0.0.1.nip.io", ""]
        {
            assert_eq!(check(host, "127.0.0.1"), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn a_name_in_the_address_of_the_request_counts_too() {
        let local = "127.0.0.1".parse().unwrap();
        let both = parts("http://evil.example/", &[("host", "127.0.0.1")]);
        assert_eq!(check_host(&both, local), Err(Refusal::Host));
        let two = parts("/", &[("host", "127.0.0.1"), ("host", "evil.example")]);
        assert_eq!(check_host(&two, local), Err(Refusal::Host));
        let mut none = parts("/", &[]);
        assert_eq!(check_host(&none, local), Err(Refusal::Host));
        none.version = Version::HTTP_10;
        assert_eq!(check_host(&none, local), Ok(()));
    }

    #[test]
    fn a_page_of_another_site_gets_no_data() {
        let check = |headers: &[(&str, &str)]| check_site(&parts("/", headers).headers);
        let host = ("host", "127.0.0.1:9100");
        assert_eq!(check(&[host]), Ok(()));
        for site in ["same-origin", "none"] {
            assert_eq!(check(&[host, ("sec-fetch-site", site)]), Ok(()), "{site}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert_eq!(check(&[host, ("sec-fetch-site", site)]), Err(Refusal::Site), "{site}");
        }
        assert_eq!(check(&[host, ("origin", "http://127.0.0.1:9100")]), Ok(()));
        for origin in ["http://127.0.0.1:9101", "https://127.0.0.1:9100", "null"] {
            assert_eq!(check(&[host, ("origin", origin)]), Err(Refusal::Site), "{origin}");
        }
    }
}
