//! The socket of an agent, on which `ps`, `logs` and `stop` talk to it.
//!
//! The socket is `agent.sock` in the agent's [state](crate::state). Only its owner can open it. A
//! client sends a [`Request`] as one line of JSON. The agent sends one line of JSON for each
//! [`Answer`]. The line of [`Answer::Said`] is followed by a text of the task's log, without any
//! encoding. The field `length` of the line is the number of bytes of the text. For example, the
//! agent answers a request for the logs of `web` with
//!
//! ```text
//! {"said":{"task":"web","time":"2026-11-22T08:33:59.123456789Z","stream":"stdout","length":11}}
//! first line
//! "done"
//! ```
//!
//! A text consists of whole lines with their newlines, or of a piece of a line without one.

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
