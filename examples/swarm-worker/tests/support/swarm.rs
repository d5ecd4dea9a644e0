//! The real swarm of a test, which `.ci/swarm` starts.

use std::io::Write as _;
use std::process::Command;

use serde_json::Value;
use swarm_worker::connection::Address;
use swarm_worker::token::JoinToken;

/// A real manager that runs no tasks.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    host: String,
    pub(crate) address: Address,
}

/// The swarm of `.ci/swarm`. Without one the test is reported as skipped.
pub(crate) fn swarm(test: &str) -> Option<Swarm> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(host), Some(address)) = (variable("SWARM_HOST"), variable("SWARM_ADDRESS")) else {
        // Past the test harness, which shows the output of a failed test only.
        let line = format!("skipped: {test} (SWARM_HOST is not set; run it with .ci/swarm run)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    Some(Swarm { host, address: address.parse().unwrap() })
}

impl Swarm {
    /// The address of the manager's API.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Runs a command of the client at the manager. Returns its output.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("docker").args(["--host", &self.host]).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn token(&self) -> JoinToken {
        self.token_text().parse().unwrap()
    }

    pub(crate) fn token_text(&self) -> String {
        self.docker(&["swarm", "join-token", "--quiet", "worker"]).trim().to_owned()
    }

    /// The node as the manager's API shows it.
    pub(crate) fn node(&self, id: &str) -> Value {
        let nodes = self.docker(&["node", "inspect", id]);
        serde_json::from_str::<Value>(&nodes).unwrap()[0].take()
    }

    pub(crate) fn remove_node(&self, id: &str) {
        self.docker(&["node", "rm", "--force", id]);
    }
}
