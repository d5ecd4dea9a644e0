//! The messages between managers and workers, made from the files in `proto/`.
//!
//! The names and numbers of the fields are SwarmKit's, and of its fields only those that a worker uses.

#![allow(missing_docs, clippy::pedantic, reason = "made from the files in proto/")]

tonic::include_proto!("docker.swarmkit.v1");

/// The compiled form of the files, with which a program can print any message.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
