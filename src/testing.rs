//! What tests are made with: time that does not pass by itself, and
//! a runtime in it.
//!
//! It needs the feature `testing`.

mod pool;
mod time;

pub use pool::VirtualPool;
pub use time::{Turn, VirtualClock, VirtualSleep, VirtualTime, VirtualTimer};
