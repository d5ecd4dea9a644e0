//! The socket of an agent, on which other programs talk to it while it runs.
//!
//! It is `agent.sock` in the agent's [state](crate::state), which only its owner can open. A
//! client sends one line of JSON, a [`Request`], and gets a line of JSON for each [`Answer`]. The line
//! of [`Answer::Said`] is followed by the text that a task has said: as many bytes as the `length` in
//! the line, as they are. For example, the agent answers a request for the logs of `web` with
//!
//! ```text
//! {"said":{"task":"web","time":"2026-11-22T08:33:59.123456789Z","stream":"stdout","length":11}}
//! first line
//! "done"
//! ```
//!
//! A text has whole lines with their newlines, or a piece of a line without one.

mod address;
mod client;
mod frame;
mod message;
mod protocol;
mod server;

pub use address::address;
pub use client::{Answers, AskError, ask};
pub use frame::Frames;
pub use message::Message;
pub use protocol::{Answer, Request, VERSION};
pub use server::{Server, SocketError};
