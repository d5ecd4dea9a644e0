//! `Contract`: runs the chosen clauses and collects their results.

use super::checks;
use super::clause::{Clause, UnknownClauseError};
use super::clause_run::{ClauseRun, Removed};
use super::ids::{Ids, random_seed};
use super::report::{Breach, ClauseResult, ClauseVerdict, Report};
use super::settings::Settings;
use super::subject::Subject;
use super::tested_task::remove_all;
use super::verdict::{Stop, Verdict};
use crate::agent::Runtime;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Checks controllers against the contract of [`Controller`](crate::Controller) and
/// [`Executor`](crate::Executor).
///
/// ```
/// use onward::testing::contract::Contract;
/// use onward::testing::{VirtualPool, VirtualTime};
/// use std::sync::Arc;
///
/// let pool = Arc::new(VirtualPool::new(VirtualTime::new(), 0));
/// let contract = Contract::new(pool.clone())
///     .only("start-dropped")?
///     .repeat(10)
///     .on_result(|result| println!("{result}"));
/// # let _ = contract;
/// let error = Contract::new(pool).only("start").unwrap_err();
/// assert!(error.to_string().starts_with("no clause is called \"start\"; the clauses are "));
/// # Ok::<(), onward::testing::contract::UnknownClauseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Contract {
    settings: Settings,
    repetitions: u32,
    seed: Option<u64>,
    /// The chosen clauses. Empty means all.
    only: Vec<Clause>,
    listener: Listener,
}

type OnResult = dyn Fn(&ClauseResult) + Send + Sync;

#[derive(Clone, Default)]
struct Listener(Option<Arc<OnResult>>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

impl Contract {
    /// A check of all clauses, once, in the time of this runtime. It spawns nothing. The
    /// methods that change a limit document its default.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        let settings = Settings {
            runtime,
            timeout: Duration::from_secs(10),
            max_polls: 100,
            settle_time: Duration::from_secs(1),
        };
        Self {
            settings,
            repetitions: 1,
            seed: None,
            only: Vec::new(),
            listener: Listener::default(),
        }
    }

    /// Checks all clauses this many times. Default: 1. 0 counts as 1.
    ///
    /// A race with a thread, a process or a server often shows only in the tenth repetition.
    /// A clause that is broken is not checked again.
    #[must_use]
    pub fn repeat(self, repetitions: u32) -> Self {
        Self { repetitions: repetitions.max(1), ..self }
    }

    /// Checks only the clause with this name. Each further call adds a clause.
    ///
    /// The clauses that this one needs are not checked. If a call before the checked one
    /// fails, the report contains a breach of the clause about that call.
    ///
    /// # Errors
    ///
    /// No clause has this name. The text of the error lists all names.
    pub fn only(mut self, clause: &str) -> Result<Self, UnknownClauseError> {
        self.only.push(clause.parse()?);
        Ok(self)
    }

    /// Calls the function with each result as soon as it is known, in the task that runs
    /// [`check`](Self::check). Default: no function.
    ///
    /// A clause can be reported as held first and as broken later, because the check of
    /// another clause calls the same operation with another workload.
    #[must_use]
    pub fn on_result(self, listener: impl Fn(&ClauseResult) + Send + Sync + 'static) -> Self {
        Self { listener: Listener(Some(Arc::new(listener))), ..self }
    }

    /// Derives the tasks' ids from this seed, so that two runs have the same ids. Default:
    /// a random seed, which is in the [report](Report::seed).
    ///
    /// Do not use one seed for two runs at the same time, because their tasks would have
    /// the same ids.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The time limit of an operation, including all retries after temporary errors.
    /// Default: 10 s. When it expires, the operation is dropped and the clause is broken.
    ///
    /// A `wait` that must not return is dropped after a hundredth of this time.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The largest number of polls after which an operation is dropped. Default: 100.
    ///
    /// The kit drops an operation after 0, 1, 2 … polls, until the operation returns before it
    /// is dropped, or this number is reached.
    #[must_use]
    pub fn with_max_polls(mut self, polls: u32) -> Self {
        self.settings.max_polls = polls;
        self
    }

    /// The time that the kit waits before it checks that no removed task came back.
    /// Default: 1 s. It must be longer than the slowest request that an operation may have
    /// sent.
    #[must_use]
    pub fn with_settle_time(mut self, settle_time: Duration) -> Self {
        self.settings.settle_time = settle_time;
        self
    }

    /// Checks the subject's controllers. Each clause has its own tasks, which the kit
    /// removes afterwards.
    ///
    /// If a clause is broken, only the clauses that need it are not checked.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tasks of the current clause are not removed.
    pub async fn check<S: Subject>(&self, subject: &S) -> Report {
        let seed = self.seed.unwrap_or_else(random_seed);
        let ids = Ids::new(seed);
        let mut report = Report::new(seed, self.repetitions);
        let mut broken = Vec::new();
        for repetition in 1..=self.repetitions {
            let mut removed = Vec::new();
            for clause in self.clauses() {
                if broken.contains(clause) {
                    continue;
                }
                let started = self.settings.runtime.now();
                let verdict = match clause.blocked_by(&broken) {
                    Some(needed) => {
                        let reason = format!("it needs `{needed}`, which is broken");
                        Err(Stop::Unchecked(reason))
                    }
                    None => self.check_clause(subject, *clause, &ids, &mut removed).await,
                };
                let took = self.settings.runtime.now().saturating_sub(started);
                let is_broken =
                    |stop: &Stop| matches!(stop, Stop::Broken(b) if b.clause == *clause);
                if verdict.as_ref().is_err_and(is_broken) {
                    broken.push(*clause);
                }
                for result in results(*clause, repetition, took, verdict) {
                    report.add(&result);
                    if let Some(listener) = &self.listener.0 {
                        listener(&result);
                    }
                }
            }
        }
        report
    }

    async fn check_clause<S: Subject>(
        &self,
        subject: &S,
        clause: Clause,
        ids: &Ids,
        removed: &mut Vec<Removed>,
    ) -> Verdict {
        let run = ClauseRun::new(&self.settings, subject, clause, ids, removed);
        let verdict = checks::check(&run).await;
        remove_all(&run).await;
        let also_removed = run.into_removed();
        removed.extend(also_removed);
        verdict
    }

    fn clauses(&self) -> impl Iterator<Item = &Clause> {
        let is_chosen = |clause: &&Clause| self.only.is_empty() || self.only.contains(clause);
        Clause::ALL.iter().filter(is_chosen)
    }
}

/// The results of a check: that of the clause, and that of another clause if a call before
/// the checked one has broken it.
fn results(
    clause: Clause,
    repetition: u32,
    took: Duration,
    verdict: Verdict,
) -> impl Iterator<Item = ClauseResult> {
    let result = |clause, verdict| ClauseResult { clause, repetition, took, verdict };
    let (own, other) = match verdict {
        Ok(()) => (ClauseVerdict::Held, None),
        Err(Stop::Unchecked(reason)) => (ClauseVerdict::Unchecked(reason), None),
        Err(Stop::Broken(breach)) => {
            let breach = Breach { repetition, ..*breach };
            let (broken, found) = (breach.clause, breach.found.clone());
            let broken_verdict = ClauseVerdict::Broken(Box::new(breach));
            if broken == clause {
                (broken_verdict, None)
            } else {
                let reason = format!("`{broken}` is broken before the checked call: {found}");
                (ClauseVerdict::Unchecked(reason), Some(result(broken, broken_verdict)))
            }
        }
    };
    [Some(result(clause, own)), other].into_iter().flatten()
}
