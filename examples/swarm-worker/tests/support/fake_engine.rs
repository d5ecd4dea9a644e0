//! A fake Docker engine, for what a real one does not do on demand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::state::state;

/// The answer to a request, such as `GET /info`: the status and the body. `None`: the usual one.
type Answer = Box<dyn FnMut(&str) -> Option<(u16, Value)> + Send>;

/// An engine at a socket of its own. Its threads end with the process.
pub(crate) struct FakeEngine {
    dir: TempDir,
    pub(crate) answer: Arc<Mutex<Answer>>,
    /// The head of each request.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl FakeEngine {
    /// Starts an engine that only describes itself, unless `answer` has something else.
    pub(crate) fn start(answer: impl FnMut(&str) -> Option<(u16, Value)> + Send + 'static) -> Self {
        let dir = state();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (own, seen) = (Arc::clone(&answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, requests) = (Arc::clone(&own), Arc::clone(&seen));
                thread::spawn(move || serve(stream, &answer, &requests));
            }
        });
        Self { dir, answer, requests }
    }

    /// The address, for `--docker-host`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }
}

/// Answers one request.
fn serve(stream: UnixStream, answer: &Mutex<Answer>, requests: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let path = target.split('?').next().unwrap();
    let request = format!("{method} {path}");
    requests.lock().unwrap().push(head.clone());
    let own = (answer.lock().unwrap())(&request);
    let (status, body) = own
        .or_else(|| usual(&request))
        .unwrap_or_else(|| (404, json!({ "message": "no such thing" })));
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A client may have gone.
    _ = reader.get_mut().write_all(answer.as_bytes());
}

fn usual(request: &str) -> Option<(u16, Value)> {
    match request {
        "GET /version" => Some((200, json!({ "ApiVersion": "1.41", "Version": "20.10.24" }))),
        "GET /info" => Some((200, info())),
        "GET /containers/json" => Some((200, json!([]))),
        _ => None,
    }
}

/// The answer of the engine to `GET /info`.
pub(crate) fn info() -> Value {
    json!({
        "Name": "fake", "OSType": "linux", "Architecture": "x86_64", "NCPU": 2,
        "MemTotal": 1 << 30, "ServerVersion": "20.10.24", "Labels": ["disk=ssd"],
    })
}
