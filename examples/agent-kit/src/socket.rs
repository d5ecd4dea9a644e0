//! The socket of an agent, on which other programs talk to it while it runs.
//!
//! It is `agent.sock` in the agent's [state](crate::state), which only its owner can open. A
//! client sends one line of JSON, a [`Request`], and gets a line for each [`Answer`].

mod address;
mod client;
mod message;
mod protocol;
mod server;

pub use address::address;
pub use client::{Answers, AskError, ask};
pub use message::Message;
pub use protocol::{Answer, Request, VERSION};
pub use server::{Server, SocketError};
