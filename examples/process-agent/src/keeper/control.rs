use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

pub(super) use agent_kit::socket::address;
use serde::{Deserialize, Serialize};

use super::{
    complain, files,
    state::{Reported, Shared},
};

/// How long a client that does not read can delay the keeper's end.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a client may send, one line of JSON each.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    /// The stop signal now and `KILL` after the grace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stop: bool,
    /// `KILL` now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) kill: bool,
}

/// The keeper's end of its socket.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// Threads that still have something to tell to a client.
    tellers: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// Binds the socket in `dir` and answers on it, in threads of its own.
    pub(super) fn start(dir: &Path, shared: Arc<Shared>) -> io::Result<Arc<Self>> {
        let (_held, path) = address(dir, files::SOCKET)?;
        // Left by a keeper that did not come to its start; we hold the lock.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let server = Arc::new(Self { shared, tellers: Mutex::default() });
        let accepting = Arc::clone(&server);
        thread::Builder::new().spawn(move || {
            for client in listener.incoming() {
                if let Err(error) = client.and_then(|client| accepting.serve(client)) {
                    complain(&format!("a client cannot be served: {error}"));
                    // Out of descriptors or threads: it may pass, and must not be spun on.
                    thread::sleep(Duration::from_millis(100));
                }
            }
        })?;
        Ok(server)
    }

    /// Waits until each client has been told the end, or does not read.
    pub(super) fn finish(&self) {
        let tellers = std::mem::take(&mut *self.lock());
        for teller in tellers {
            let _ = teller.join();
        }
    }

    fn serve(&self, client: UnixStream) -> io::Result<()> {
        client.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let requests = client.try_clone()?;
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().spawn(move || take_requests(&shared, requests))?;
        let shared = Arc::clone(&self.shared);
        let teller = thread::Builder::new().spawn(move || {
            let _ = tell(&shared, client); // the client is gone
        })?;
        let mut tellers = self.lock();
        tellers.retain(|teller| !teller.is_finished());
        tellers.push(teller);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tellers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(shared: &Shared, mut client: UnixStream) -> io::Result<()> {
    let mut seen = None;
    loop {
        let (version, report) = shared.report_after(seen);
        let mut line = serde_json::to_vec(&report)?;
        line.push(b'\n');
        client.write_all(&line)?;
        if matches!(report.state, Reported::Exited { .. }) {
            return client.shutdown(std::net::Shutdown::Both);
        }
        seen = Some(version);
    }
}

fn take_requests(shared: &Shared, client: UnixStream) {
    for line in BufReader::new(client).lines() {
        let Ok(line) = line else { return };
        match serde_json::from_str::<Request>(&line) {
            Ok(request) if request.kill => shared.kill(),
            Ok(request) if request.stop => shared.stop(),
            Ok(_) => {}
            Err(error) => {
                complain(&format!(
                    "{line:?} is no request ({error}); write {{\"stop\":true}} or {{\"kill\":true}}"
                ));
            }
        }
    }
}
