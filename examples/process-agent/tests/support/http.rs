//! An agent that serves HTTP, and a client of it.
#![allow(dead_code)] // each test file uses some of it

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::agent::Home;

/// Returns the address of the page, which the agent prints on standard error.
pub(crate) fn address(home: &Home) -> SocketAddr {
    let said = "process-agent: serving the status page at http://";
    home.wait(|home| home.read("err").contains(said));
    let text = home.read("err");
    let line = text.lines().rev().find_map(|line| line.strip_prefix(said)).unwrap();
    line.strip_suffix('/').unwrap().parse().unwrap()
}

/// Starts an agent with these tasks. Returns the address of its page, too.
pub(crate) fn up(tasks: &str) -> (Home, SocketAddr) {
    let mut home = Home::new(tasks);
    home.up(&["--http", "127.0.0.1:0"]);
    let address = address(&home);
    (home, address)
}

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A connection with a limit on reads and writes.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect_timeout(&address, GUARD).unwrap();
    client.set_read_timeout(Some(GUARD)).unwrap();
    client.set_write_timeout(Some(GUARD)).unwrap();
    client
}

/// Requests a path. `None` if the connection was closed without an answer.
pub(crate) fn try_ask(address: SocketAddr, method: &str, path: &str) -> Option<Answer> {
    let mut client = connect(address);
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    client.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    client.read_to_string(&mut text).ok()?;
    Answer::parse(&text)
}

/// Requests a path with exactly these headers.
pub(crate) fn get_with(address: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    let mut client = connect(address);
    let headers = headers.join("\r\n");
    client.write_all(format!("GET {path} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    Answer::parse(&text).expect("the connection was closed without an answer")
}

/// Requests a path, and returns the JSON of the answer.
pub(crate) fn json(address: SocketAddr, path: &str) -> Value {
    let answer = ask(address, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let head = head.to_lowercase();
        let is_chunked = head.contains("\r\ntransfer-encoding: chunked");
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Some(Self { status, head, body })
    }
}

/// Joins the chunks of a body. Without the last chunk, the body is not complete.
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (length, from) = rest.split_once("\r\n").expect("the body is not complete");
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.push_str(&from[..length]);
        rest = &from[length + 2..];
    }
}

pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    try_ask(address, method, path).expect("the connection was closed without an answer")
}
