//! An empty record, to measure a machine by itself.
#![allow(clippy::unused_self)] // it writes nothing

/// The time of an event.
#[derive(Clone, Copy, Debug)]
pub struct At;

/// The record of a task.
#[derive(Debug, Default)]
pub struct Record(());

impl Record {
    /// Records a successful transition.
    pub fn done(&mut self, _message: &'static str, _at: At) {}

    /// Records a failed transition.
    pub fn ended(&mut self, _err: &'static str, _at: At) {}
}

/// Returns the time of all events.
pub fn at() -> At {
    At
}
