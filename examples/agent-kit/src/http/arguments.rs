use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::address::parse_address;
use super::server::HttpServer;
use super::token::Token;
use crate::metrics::Recorded;

/// The arguments of the HTTP server. Use them with clap's `#[command(flatten)]`.
#[derive(Clone, Debug, Args)]
pub struct HttpArguments {
    /// Serve the status page over HTTP, with an API, with metrics at /metrics and the health of the
    /// agent at /healthz. ADDR is an address such as 127.0.0.1:9100, or a port. A port alone is a
    /// port of 127.0.0.1. Port 0 selects a free port. If other machines can reach the address,
    /// --http-token-file is required.
    #[arg(long, visible_alias = "metrics", value_name = "ADDR", value_parser = parse_address)]
    http: Option<SocketAddr>,
    /// Answer only clients that have the token in FILE. The token has at least 16 characters. No
    /// other user may be able to read the file.
    #[arg(long, value_name = "FILE", requires = "http")]
    http_token_file: Option<PathBuf>,
}

impl HttpArguments {
    /// Binds the address, if there is one. Clients wait until [`HttpServer::serve`] is called.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be used, if the token cannot be read, or if there is no token
    /// and other machines can reach the address.
    pub fn bind(&self) -> anyhow::Result<Option<HttpServer>> {
        let Some(address) = self.http else { return Ok(None) };
        let token = self.http_token_file.as_deref().map(Token::read).transpose()?;
        Ok(Some(HttpServer::bind(address, token, Recorded::new()?)?))
    }
}
