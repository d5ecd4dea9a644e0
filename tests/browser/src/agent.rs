//! A running `process-agent` with a status page, for tests of that page.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long the agent may take to start, to change and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two checks.
const POLL: Duration = Duration::from_millis(20);

/// The agent, its task file and its state. If it is dropped, the agent and its tasks end.
pub struct Agent {
    dir: TempDir,
    /// The arguments of `run` after the task file.
    arguments: Vec<String>,
    agent: Option<Child>,
    address: String,
}

impl Agent {
    /// Starts an agent with these tasks, at a free port of loopback.
    pub fn start(tasks: &str) -> Self {
        Self::start_at("127.0.0.1:0", tasks, None)
    }

    /// Starts an agent at an address that other machines can reach, with a token.
    pub fn start_open(tasks: &str, token: &str) -> Self {
        Self::start_at("0.0.0.0:0", tasks, Some(token))
    }

    fn start_at(address: &str, tasks: &str, token: Option<&str>) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the agent");
        let mut arguments: Vec<String> =
            ["--state", "state", "--on-exit", "stop"].map(Into::into).into();
        if let Some(token) = token {
            fs::write(dir.path().join("token"), token).expect("the token is written");
            let mode = Permissions::from_mode(0o600);
            fs::set_permissions(dir.path().join("token"), mode).expect("the token is closed");
            arguments.extend(["--http-token-file", "token"].map(Into::into));
        }
        let mut agent = Self { dir, arguments, agent: None, address: address.to_owned() };
        agent.save(tasks);
        agent.start_again();
        agent
    }

    /// Replaces the task file.
    pub fn save(&self, tasks: &str) {
        let new = self.dir.path().join("new.toml");
        fs::write(&new, tasks).expect("the task file is written");
        fs::rename(new, self.dir.path().join("tasks.toml")).expect("the task file is replaced");
    }

    /// A file in the folder of the agent.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends the agent as `kill -9` does. Its tasks keep running.
    pub fn kill(&mut self) {
        let mut agent = self.agent.take().expect("the agent runs");
        agent.kill().expect("the agent is killed");
        agent.wait().expect("the agent has ended");
    }

    /// Starts the agent on the same state and, after the first time, at the same port.
    pub fn start_again(&mut self) {
        let errors = File::create(self.path("err")).expect("a file for its errors");
        let agent = Command::new(program())
            .args(["run", "tasks.toml", "--http", &self.address])
            .args(&self.arguments)
            .current_dir(self.dir.path())
            .env("TEST_HOME", self.dir.path())
            .env_remove("ONWARD_STATE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        self.agent = Some(agent.expect("process-agent starts"));
        let begun = Instant::now();
        self.address = loop {
            let text = fs::read_to_string(self.path("err")).unwrap_or_default();
            let address = text.split_once("http://").and_then(|(_, rest)| rest.split_once("/\n"));
            if let Some((address, _)) = address {
                break address.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "process-agent prints no address: {text}");
            sleep(POLL);
        };
    }

    /// The address of the page, by way of loopback.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address.replace("0.0.0.0", "127.0.0.1"))
    }

    /// The port of the page.
    pub fn port(&self) -> &str {
        self.address.rsplit_once(':').expect("an address").1
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // An agent that was killed has left tasks.
        if self.agent.is_none() && !std::thread::panicking() {
            self.start_again();
        }
        let Some(mut agent) = self.agent.take() else { return };
        let id = agent.id().to_string();
        _ = Command::new("kill").args(["-TERM", &id]).status();
        let begun = Instant::now();
        while matches!(agent.try_wait(), Ok(None)) {
            if begun.elapsed() > PATIENCE {
                _ = agent.kill();
            }
            sleep(POLL);
        }
    }
}

/// Builds `process-agent`, and returns its path.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let built = Command::new(env!("CARGO"))
            .args(["build", "-p", "process-agent", "--message-format=json", "--manifest-path"])
            .arg(manifest)
            .output()
            .expect("cargo starts");
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "process-agent cannot be built: {errors}");
        let lines = String::from_utf8_lossy(&built.stdout).into_owned();
        let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let paths = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
        paths.last().expect("cargo names the program")
    })
}
