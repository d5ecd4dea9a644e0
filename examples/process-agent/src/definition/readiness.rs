use std::time::Duration;

use humantime::format_duration;
use serde::{Deserialize, Serialize};

use super::values;

/// The readiness check of a task: the probe, and when to repeat it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawReadiness", into = "RawReadiness")]
pub struct Readiness {
    /// What to try.
    pub probe: Probe,
    /// Time between two tries. Default: 200 ms.
    pub interval: Duration,
    /// Time after which the start of the task fails. Default: 30 s.
    pub timeout: Duration,
}

/// One try of a [`Readiness`] check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The task is ready when this command exits with 0.
    Command(Vec<String>),
    /// The task is ready when it accepts a connection on this `host:port`.
    Tcp(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReadiness {
    #[serde(default, deserialize_with = "values::some_command")]
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    #[serde(default = "default_interval", with = "values::duration")]
    interval: Duration,
    #[serde(default = "default_timeout", with = "values::duration")]
    timeout: Duration,
}

impl TryFrom<RawReadiness> for Readiness {
    type Error = String;

    fn try_from(raw: RawReadiness) -> Result<Self, String> {
        let probe = match (raw.command, raw.tcp) {
            (Some(command), None) => Probe::Command(command),
            (None, Some(address)) if is_host_and_port(&address) => Probe::Tcp(address),
            (None, Some(address)) => {
                return Err(format!(
                    "{address:?} is not a host with a port; write it like \"127.0.0.1:8080\""
                ));
            }
            (Some(_), Some(_)) => {
                return Err("both `command` and `tcp` are given; leave out one of them".to_owned());
            }
            (None, None) => {
                return Err(
                    "neither `command` nor `tcp` is given; write `{ command = [...] }` or \
                     `{ tcp = \"127.0.0.1:8080\" }`"
                        .to_owned(),
                );
            }
        };
        if raw.interval < SHORTEST_INTERVAL {
            let (given, least) =
                (format_duration(raw.interval), format_duration(SHORTEST_INTERVAL));
            return Err(format!("the interval is {given}; give at least {least}"));
        }
        Ok(Self { probe, interval: raw.interval, timeout: raw.timeout })
    }
}

impl From<Readiness> for RawReadiness {
    fn from(ready: Readiness) -> Self {
        let (command, tcp) = match ready.probe {
            Probe::Command(command) => (Some(command), None),
            Probe::Tcp(address) => (None, Some(address)),
        };
        Self { command, tcp, interval: ready.interval, timeout: ready.timeout }
    }
}

/// The shortest interval. Each try of a command starts a keeper and a process.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

fn is_host_and_port(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p != 0))
}

fn default_interval() -> Duration {
    Duration::from_millis(200)
}

fn default_timeout() -> Duration {
    Duration::from_secs(30)
}
