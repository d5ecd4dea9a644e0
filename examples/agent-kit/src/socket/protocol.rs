use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::message::Message;
use crate::listing::Listed;
use crate::stamp;

/// The file name of the socket.
pub(super) const NAME: &str = "agent.sock";

/// The version of this protocol. The agent refuses other versions.
pub const VERSION: u32 = 1;

/// A request of a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// List all tasks.
    Ps,
    /// Send the logs of these tasks.
    Logs {
        /// The names of the tasks.
        names: Vec<String>,
        /// Whether to send new lines until the tasks have ended.
        follow: bool,
        /// Send only this many last lines of each task.
        tail: Option<u64>,
        /// Send only lines of this time or later.
        #[serde(with = "stamp::optional")]
        since: Option<UtcDateTime>,
        /// Whether the time of each line is needed. Otherwise lines are joined, with the time of the
        /// first one, unless `follow` is set.
        times: bool,
    },
    /// Shut these tasks down.
    Stop {
        /// The names of the tasks.
        names: Vec<String>,
        /// Whether to answer when the tasks have ended. Otherwise the answer is sent when the order
        /// is stored.
        wait: bool,
    },
}

impl Request {
    /// Parses the line of a client.
    ///
    /// # Errors
    ///
    /// The error names the mistake in the line and the right form.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        #[derive(Deserialize)]
        struct Asked {
            request: Request,
        }
        let wrong = |error: serde_json::Error| {
            format!(
                "this is not a request: {error}; write {{\"version\":{VERSION},\"request\":\"ps\"}}"
            )
        };
        let Version { version } = serde_json::from_slice(line).map_err(wrong)?;
        if version != VERSION {
            return Err(format!(
                "this agent speaks version {VERSION} of the protocol, and the client version {version}; \
                 use the same version of the program for both"
            ));
        }
        let Asked { request } = serde_json::from_slice(line).map_err(wrong)?;
        Ok(request)
    }
}

/// A request with its version, as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct Versioned<'a> {
    pub(super) version: u32,
    pub(super) request: &'a Request,
}

/// An answer of the agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Some of the tasks.
    Tasks(Vec<Listed>),
    /// A notice about the agent itself.
    Notice(String),
    /// The head of a text of a task's log. The text follows.
    Said(Message),
    /// A part of the request failed. The rest continues.
    Failed(String),
    /// The request was refused. Nothing was done.
    Refused(String),
    /// The answer is complete.
    Done,
}
