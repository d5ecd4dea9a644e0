//! How others talk to an agent while it runs.
//!
//! Through `agent.sock` in the agent's [state](crate::state), which only its owner can open. A
//! client sends one line of JSON, a [`Request`], and gets a line for each [`Answer`].

mod client;
mod server;

use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use crate::listing::Listed;
use crate::stamp;
pub use client::{Answers, AskError, ask};
pub use server::{Server, SocketError};

/// The name of the socket.
const NAME: &str = "agent.sock";

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
        #[serde(with = "optional_stamp")]
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

/// A request with its version, as it is sent.
#[derive(Debug, Serialize)]
struct Versioned<'a> {
    version: u32,
    request: &'a Request,
}

/// What a client is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All tasks.
    Tasks(Vec<Listed>),
    /// A task has said this: a [record](crate::log::Record), written as in its log.
    Said {
        /// The task's name.
        task: String,
        /// The record.
        record: String,
    },
    /// A part of it was not possible; the rest goes on.
    Failed(String),
    /// Nothing of it was done.
    Refused(String),
    /// This was all.
    Done,
}

mod optional_stamp {
    use super::stamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::UtcDateTime;

    #[derive(Serialize, Deserialize)]
    struct Stamp(#[serde(with = "stamp")] UtcDateTime);

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        at: &Option<UtcDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Stamp).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UtcDateTime>, D::Error> {
        Ok(Option::<Stamp>::deserialize(deserializer)?.map(|stamp| stamp.0))
    }
}
