//! What the tests have in common.
#![allow(dead_code)] // each test uses a part of it

pub mod engine;
pub mod life;
