//! Chromium and its driver: how they are started, with an empty profile, and ended.

use std::io::{self, BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use thirtyfour::common::capabilities::firefox::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

/// How long the driver may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Neither services of its own nor the network are to disturb a test. `evil.example` is a name of
/// this machine that an attacker controls.
const ARGUMENTS: [&str; 9] = [
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Debian's packages `chromium` and `chromium-driver` are not installed.
pub(crate) struct Missing;

/// `chromedriver`, which starts a browser for each connection.
pub(crate) struct Chromium {
    driver: Child,
    port: u16,
    profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Result<Self, Missing> {
        let version = Command::new("chromium").arg("--version").stdout(Stdio::null()).status();
        if is_missing(&version) {
            return Err(Missing);
        }
        let driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .spawn();
        if is_missing(&driver) {
            return Err(Missing);
        }
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut chromium = Self { driver: driver.expect("chromedriver starts"), port: 0, profile };
        chromium.port = chromium.port_of_its_own();
        Ok(chromium)
    }

    /// The port that the driver has chosen, which it prints.
    fn port_of_its_own(&mut self) -> u16 {
        let output = self.driver.stdout.take().expect("its output is a pipe");
        let (sender, receiver) = mpsc::channel();
        // It reads to the end, so that the driver never writes to a closed pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let number = line
                    .rsplit_once("successfully on port ")
                    .map(|(_, rest)| rest.trim_end_matches('.'));
                if let Some(port) = number.and_then(|number| number.parse().ok()) {
                    _ = sender.send(port);
                }
            }
        });
        receiver.recv_timeout(PATIENCE).expect("chromedriver prints its port within a minute")
    }

    pub(crate) async fn connect(&self) -> WebDriver {
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in ARGUMENTS {
            capabilities.add_arg(argument).expect(argument);
        }
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        capabilities.add_arg(&profile).expect("a folder as text");
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a level");
        let address = format!("http://127.0.0.1:{}", self.port);
        WebDriver::new(address, capabilities).await.expect("Chromium starts")
    }
}

impl Drop for Chromium {
    /// Asks the driver to end, which ends its browsers. If it is killed, they stay.
    fn drop(&mut self) {
        if self.request_shutdown().is_err() {
            _ = self.driver.kill();
        }
        _ = self.driver.wait();
    }
}

impl Chromium {
    /// Not through the connection: that belongs to a runtime, which may have ended.
    fn request_shutdown(&self) -> io::Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

fn is_missing<T>(started: &io::Result<T>) -> bool {
    started.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
