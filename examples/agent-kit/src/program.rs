//! The name and the demo of an agent's program.

use std::io::{self, Write as _};

use crate::view::printable;

/// The properties of an agent's program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name, which starts each message of the program.
    pub name: &'static str,
    /// The built-in task file of the demo, for `run` without a file. Empty: the program reads no task
    /// files.
    pub demo: &'static str,
}

impl Program {
    /// Writes a message to standard error. Does not panic if that fails, unlike `eprintln`.
    pub fn complain(self, text: &str) {
        _ = writeln!(io::stderr(), "{}: {}", self.name, printable(text));
    }
}
