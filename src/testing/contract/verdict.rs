//! `Verdict`: the clause holds, is broken, or cannot be checked.

use super::clause::Clause;
use super::report::Breach;
use crate::testing::trace::Trace;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

/// The reason why the check of a clause stops early.
pub(super) enum Stop {
    Broken(Box<Breach>),
    Unchecked(String),
}

impl Stop {
    pub(super) fn unchecked(reason: impl Into<String>) -> Self {
        Self::Unchecked(reason.into())
    }
}

pub(super) type Verdict = Result<(), Stop>;

/// A breach of the clause. The caller sets the repetition.
pub(super) fn breach(
    clause: Clause,
    expected: &str,
    found: &dyn fmt::Display,
    trace: &Trace,
) -> Stop {
    Stop::Broken(Box::new(Breach {
        clause,
        text: clause.text().into(),
        repetition: 1,
        expected: expected.into(),
        found: found.to_string(),
        trace: trace.entries(),
    }))
}
