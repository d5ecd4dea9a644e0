use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::message::Message;
use crate::listing::Listed;
use crate::stamp;

/// The name of the socket.
pub(super) const NAME: &str = "agent.sock";

/// The version of what is said here. Another one is not understood.
pub const VERSION: u32 = 1;

/// What a client wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// All tasks.
    Ps,
    /// What these tasks say.
    Logs {
        /// The names of the tasks.
        names: Vec<String>,
        /// Whether to go on until they have said all.
        follow: bool,
        /// Only the last so many lines of each.
        tail: Option<u64>,
        /// Only what was said then or later.
        #[serde(with = "stamp::optional")]
        since: Option<UtcDateTime>,
    },
    /// These tasks are to be shut down.
    Stop {
        /// The names of the tasks.
        names: Vec<String>,
        /// Whether to answer when they have ended, and not as soon as it is durable.
        wait: bool,
    },
}

impl Request {
    /// Parses the line that a client has sent.
    ///
    /// # Errors
    ///
    /// What is wrong with the line, and what would be right.
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
                "this is no request: {error}; write {{\"version\":{VERSION},\"request\":\"ps\"}}"
            )
        };
        let Version { version } = serde_json::from_slice(line).map_err(wrong)?;
        if version != VERSION {
            return Err(format!(
                "this agent speaks version {VERSION}, and was asked in version {version}; \
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

/// What a client is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All tasks.
    Tasks(Vec<Listed>),
    /// What is to be known of the agent itself.
    Notice(String),
    /// A task has said the text that follows.
    Said(Message),
    /// A part of it was not possible; the rest goes on.
    Failed(String),
    /// Nothing of it was done.
    Refused(String),
    /// This was all.
    Done,
}
