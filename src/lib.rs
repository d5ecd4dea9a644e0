//! The life of a task as a typestate machine.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod exec;
pub mod lifecycle;
