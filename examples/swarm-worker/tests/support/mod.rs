//! Helpers of the tests.
#![allow(dead_code)] // each test uses a part of it

pub(crate) mod authority;
pub(crate) mod ca;
pub(crate) mod dispatcher;
pub(crate) mod fake_engine;
pub(crate) mod log_broker;
pub(crate) mod manager;
pub(crate) mod node;
pub(crate) mod program;
pub(crate) mod small_disk;
pub(crate) mod state;
pub(crate) mod swarm;
pub(crate) mod worker;
