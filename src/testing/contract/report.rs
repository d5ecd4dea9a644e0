//! `Report`: the result of a check. `ClauseResult`: the result of one clause while the
//! check runs.

use super::clause::Clause;
use crate::testing::trace::TraceEntry;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The result of checking a controller against the contract.
///
/// Each chosen clause is in one of the three lists. [`Display`](fmt::Display) writes the report
/// as text. With the feature `serde` it can be serialized.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[must_use = "a broken clause is only in the report"]
pub struct Report {
    /// The seed of the tasks' ids. Pass it to
    /// [`Contract::with_seed`](super::Contract::with_seed) to get the same ids again.
    pub seed: u64,
    /// The number of repetitions that were requested.
    pub repetitions: u32,
    /// The clauses that held in every repetition.
    pub held: Vec<Clause>,
    /// The clauses that could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// The clauses that were broken, each with its first breach.
    pub breaches: Vec<Breach>,
}

/// A clause that could not be checked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unchecked {
    /// The clause.
    pub clause: Clause,
    /// The reason, for example that the subject has no such workload, or that a clause that
    /// it needs is broken.
    pub reason: String,
}

/// A broken clause: what was expected, what was found, and all calls.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Breach {
    /// The clause.
    pub clause: Clause,
    /// What the contract requires: [`Clause::text`].
    pub text: String,
    /// The repetition in which it was broken, from 1.
    pub repetition: u32,
    /// What the kit expected after the last call.
    pub expected: String,
    /// What the kit found instead.
    pub found: String,
    /// All calls of the task's controllers and executor, up to the breach. Before each call
    /// of `controller` except the first, the kit drops the previous controller.
    pub trace: Vec<TraceEntry>,
}

/// The result of one clause in one repetition, as
/// [`Contract::on_result`](super::Contract::on_result) receives it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClauseResult {
    /// The clause.
    pub clause: Clause,
    /// The repetition, from 1.
    pub repetition: u32,
    /// How long the check of the clause took, in the time of the runtime.
    pub took: Duration,
    /// The verdict.
    pub verdict: ClauseVerdict,
}

/// The verdict on a clause.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ClauseVerdict {
    /// It held.
    Held,
    /// It could not be checked. The text is the reason.
    Unchecked(String),
    /// It was broken.
    Broken(Box<Breach>),
}

impl Report {
    pub(super) fn new(seed: u64, repetitions: u32) -> Self {
        let (held, unchecked, breaches) = (Vec::new(), Vec::new(), Vec::new());
        Self { seed, repetitions, held, unchecked, breaches }
    }

    /// Whether no clause was broken. Clauses that could not be checked are ignored.
    pub fn holds(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Panics with the report if a clause was broken.
    ///
    /// # Panics
    ///
    /// A clause was broken.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.holds(), "{self}");
    }

    /// Panics with the report if a clause was broken or could not be checked.
    ///
    /// # Panics
    ///
    /// A clause was broken or could not be checked.
    #[track_caller]
    pub fn assert_all_held(&self) {
        assert!(self.holds() && self.unchecked.is_empty(), "{self}");
    }

    /// Adds the result of a clause in one repetition. The worst one counts: broken, then
    /// not checked, then held.
    pub(super) fn add(&mut self, result: &ClauseResult) {
        let clause = result.clause;
        if self.breaches.iter().any(|breach| breach.clause == clause) {
            return;
        }
        let is_unchecked = self.unchecked.iter().any(|other| other.clause == clause);
        match &result.verdict {
            ClauseVerdict::Held => {
                if !is_unchecked && !self.held.contains(&clause) {
                    self.held.push(clause);
                }
            }
            ClauseVerdict::Unchecked(reason) => {
                self.held.retain(|held| *held != clause);
                if !is_unchecked {
                    self.unchecked.push(Unchecked { clause, reason: reason.clone() });
                }
            }
            ClauseVerdict::Broken(breach) => {
                self.held.retain(|held| *held != clause);
                self.unchecked.retain(|other| other.clause != clause);
                self.breaches.push((**breach).clone());
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, repetitions, held, unchecked, breaches } = self;
        let counts = (held.len(), breaches.len(), unchecked.len());
        write!(f, "{} clauses held, {} broken, {} not checked", counts.0, counts.1, counts.2)?;
        let times = if *repetitions == 1 { "repetition" } else { "repetitions" };
        writeln!(f, " ({repetitions} {times}, seed {seed})")?;
        unchecked.iter().try_for_each(|unchecked| writeln!(f, "{unchecked}"))?;
        breaches.iter().try_for_each(|breach| write!(f, "\n{breach}"))
    }
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not checked: {}", self.clause, self.reason)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clause, text, repetition, expected, found, trace } = self;
        writeln!(f, "{clause}: broken in repetition {repetition}")?;
        writeln!(f, "  contract: {text}")?;
        writeln!(f, "  documented at: {}", clause.documented_at())?;
        writeln!(f, "  expected: {expected}")?;
        writeln!(f, "  found: {found}")?;
        let Some(first) = trace.first() else { return Ok(()) };
        writeln!(f, "  calls for the task {}:", first.id)?;
        trace.iter().try_for_each(|entry| writeln!(f, "    {entry}"))
    }
}

impl fmt::Display for ClauseResult {
    /// Writes `start-dropped: held (repetition 1, 240ms)`, or the whole breach.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clause, repetition, took, verdict } = self;
        match verdict {
            ClauseVerdict::Held => {
                write!(f, "{clause}: held (repetition {repetition}, {took:?})")
            }
            ClauseVerdict::Unchecked(reason) => write!(f, "{clause}: not checked: {reason}"),
            ClauseVerdict::Broken(breach) => write!(f, "{breach}"),
        }
    }
}
