//! Each machine with an empty record.
#![allow(dead_code, unreachable_pub)] // the whole machine is there, as a crate would have it
#![allow(clippy::duplicate_mod, reason = "the same machine, with another record")]
#![allow(clippy::trivially_copy_pass_by_ref)] // an event with its time is none
#![allow(clippy::wildcard_enum_match_arm)] // what has no edge is refused

#[path = "contests.rs"]
pub(crate) mod contests;
#[path = "../../machines/plain.rs"]
pub(crate) mod plain;
#[path = "../../machines/bare.rs"]
pub(crate) mod record;
#[path = "../../machines/rust_fsm.rs"]
pub(crate) mod rust_fsm;
#[path = "../../machines/smlang.rs"]
pub(crate) mod smlang;
#[path = "../../machines/statig.rs"]
pub(crate) mod statig;
#[path = "../../machines/statum.rs"]
pub(crate) mod statum;
