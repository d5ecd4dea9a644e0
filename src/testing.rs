//! What tests are made with: time that does not pass by itself.
//!
//! It needs the feature `testing`.

mod time;

pub use time::{Turn, VirtualClock, VirtualSleep, VirtualTime, VirtualTimer};
