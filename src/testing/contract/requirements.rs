//! The requirements of a task after a call. A requirement that is not met breaks the
//! clause.

use super::subject::{InForce, Observation, Subject};
use super::tested_task::{FAILED, TestedTask};
use super::verdict::{Stop, Verdict};
use crate::exec::Call;
use alloc::format;
use core::fmt;
use core::time::Duration;

impl<S: Subject> TestedTask<'_, S> {
    /// Reports a breach of the clause unless the condition is true.
    pub(super) fn require(
        &self,
        condition: bool,
        expected: &str,
        found: &dyn fmt::Display,
    ) -> Verdict {
        self.run.require(condition, expected, found, &self.task.trace)
    }

    pub(super) fn require_one_start(&self) -> Verdict {
        let starts = self.observe().starts;
        self.require(starts == 1, "the workload was started once", &format!("{starts} starts"))
    }

    /// At most one start. A start that was undone may be missing from the count.
    pub(super) fn require_no_second_start(&self) -> Verdict {
        let starts = self.observe().starts;
        let expected = "the workload was not started again";
        self.require(starts <= 1, expected, &format!("{starts} starts"))
    }

    pub(super) fn require_running(&self) -> Verdict {
        self.require(self.observe().running, "the workload runs", &"nothing runs")
    }

    /// Nothing runs after this call. After `remove`, nothing exists either.
    pub(super) fn require_end(&self, by: Call) -> Verdict {
        let Observation { running, remains, .. } = self.observe();
        self.require(!running, "nothing runs", &"the workload runs")?;
        let removed = !remains || by != Call::Remove;
        self.require(removed, "nothing of the task is left", &"something is left")
    }

    /// `wait` returns the expected result.
    pub(super) async fn require_result(&mut self, expected: &str) -> Verdict {
        let found = self.result().await;
        self.require(found == expected, expected, &found)
    }

    /// `wait` has reported that the workload has failed.
    pub(super) fn require_failure(&self, result: &str) -> Verdict {
        let expected = format!("{FAILED} that is not temporary");
        self.require(result.starts_with(FAILED), &expected, &result)
    }

    /// The expected definition is in force, or will be soon.
    pub(super) async fn require_in_force(&mut self, expected: InForce) -> Verdict {
        const PAUSE: Duration = Duration::from_millis(10);
        let runtime = &*self.run.settings.runtime;
        let deadline = runtime.now().saturating_add(self.run.settings.timeout);
        loop {
            let found = self.observe().in_force;
            if found == Some(expected) {
                return Ok(());
            }
            if runtime.now() >= deadline {
                let Some(found) = found else {
                    let reason = "`Observation::in_force` is `None` while the workload runs";
                    return Err(Stop::unchecked(reason));
                };
                let expected = format!("the definition in force is `{expected:?}`");
                return self.require(false, &expected, &format!("it is `{found:?}`"));
            }
            self.run.pause(PAUSE).await;
        }
    }
}
