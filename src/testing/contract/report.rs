//! What came of holding a controller against the contract.

use super::bench::{Stop, Verdict};
use super::clause::Clause;
use crate::testing::TraceEntry;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What came of holding a controller against the contract, clause by clause.
///
/// It is data, printed with the feature `serde`; [`Display`](fmt::Display) writes it for
/// people.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[must_use = "it says whether the contract holds"]
pub struct Report {
    /// The clauses that were kept.
    pub held: Vec<Clause>,
    /// The clauses that could not be checked, and why: the subject has no such workload,
    /// or what comes before them is broken.
    pub unchecked: Vec<(Clause, String)>,
    /// The clauses that were broken, each by the first thing that has broken it.
    pub breaches: Vec<Breach>,
}

/// How a clause was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Breach {
    /// Which clause.
    pub clause: Clause,
    /// What it says: [`Clause::text`].
    pub text: String,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
    /// All that was called on the task's controllers, up to the breach. Where a
    /// controller was asked for, the one before was dropped.
    pub trace: Vec<TraceEntry>,
}

impl Report {
    /// Whether no clause was broken.
    pub fn holds(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Panics if a clause was broken, with all that is known about it: for a test.
    ///
    /// # Panics
    ///
    /// A clause was broken.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.holds(), "{self}");
    }

    /// The broken clause without which this one says nothing.
    pub(super) fn stands_in_the_way_of(&self, clause: Clause) -> Option<Clause> {
        let mut broken = self.breaches.iter().map(|breach| breach.clause);
        broken.find(|broken| *broken == Clause::Life || clause.rests_on().contains(broken))
    }

    pub(super) fn add(&mut self, clause: Clause, verdict: Verdict) {
        match verdict {
            Ok(()) => self.held.push(clause),
            Err(Stop::Unchecked(why)) => self.unchecked.push((clause, why)),
            Err(Stop::Broken(breach)) => {
                // What came before it is broken: it was not checked itself.
                if breach.clause != clause {
                    self.held.retain(|held| *held != breach.clause);
                    self.unchecked.push((clause, format!("`{}` is broken", breach.clause)));
                }
                self.breaches.push(*breach);
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, unchecked, breaches } = self;
        let counts = (held.len(), breaches.len(), unchecked.len());
        writeln!(f, "{} clauses held, {} broken, {} unchecked", counts.0, counts.1, counts.2)?;
        unchecked.iter().try_for_each(|(clause, why)| writeln!(f, "{clause}: unchecked: {why}"))?;
        breaches.iter().try_for_each(|breach| write!(f, "\n{breach}"))
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clause, text, expected, found, trace } = self;
        writeln!(f, "{clause}: {text}\n  expected: {expected}\n  found: {found}")?;
        let id = trace.first().map_or("no task", |entry| &entry.id);
        writeln!(f, "  what was called, of the task {id}:")?;
        trace.iter().try_for_each(|entry| writeln!(f, "    {entry}"))
    }
}
