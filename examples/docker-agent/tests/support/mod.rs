//! Helpers of the tests.
#![allow(dead_code)] // each test uses a part of it

pub(crate) mod engine;
pub(crate) mod life;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod registry;
