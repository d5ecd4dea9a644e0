//! What the kit must know of the program of an agent.

use std::io::{self, Write as _};

use crate::view::printable;

/// What the program of an agent is.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, as it stands before each message.
    pub name: &'static str,
    /// The file of tasks that is compiled in, for those who name none.
    pub demo: &'static str,
}

impl Program {
    /// Not by `eprintln`, which panics where standard error cannot be written to.
    pub(crate) fn complain(self, text: &str) {
        _ = writeln!(io::stderr(), "{}: {}", self.name, printable(text));
    }
}
