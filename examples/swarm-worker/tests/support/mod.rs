//! Helpers of the tests.
#![allow(dead_code)] // each test uses a part of it

pub(crate) mod node;
pub(crate) mod swarm;
