//! The world outside of the agents: for each id, remains and a workload.

use onward::exec::ControllerError;
use std::collections::{BTreeMap, BTreeSet};

/// It outlives every agent.
#[derive(Default)]
pub(crate) struct Place {
    left: BTreeSet<String>,
    workloads: BTreeMap<String, Workload>,
}

/// A workload that was started.
enum Workload {
    Running,
    /// It has ended, and `wait` returns this.
    Ended(Result<(), ControllerError>),
}

impl Place {
    /// Something is left of each of these, and runs.
    pub(crate) fn with(strays: &[String]) -> Self {
        let mut place = Self::default();
        for id in strays {
            place.left.insert(id.clone());
            place.workloads.insert(id.clone(), Workload::Running);
        }
        place
    }

    /// The ids of which something is left.
    pub(crate) fn left(&self) -> Vec<String> {
        self.left.iter().cloned().collect()
    }

    /// The result that `wait` returns at once. None if the workload runs.
    pub(crate) fn answer(&self, id: &str) -> Option<Result<(), ControllerError>> {
        match self.workloads.get(id) {
            Some(Workload::Running) => None,
            Some(Workload::Ended(answer)) => Some(answer.clone()),
            None => Some(Err(ControllerError::new("no workload"))),
        }
    }

    /// The effect of an operation other than `wait`.
    pub(crate) fn take_effect(&mut self, operation: &str, id: &str) {
        match operation {
            "prepare" => _ = self.left.insert(id.to_owned()),
            "start" => {
                self.left.insert(id.to_owned());
                self.workloads.entry(id.to_owned()).or_insert(Workload::Running);
            }
            "shutdown" | "terminate" => self.end(id, Ok(())),
            "remove" | "reconcile" => {
                self.left.remove(id);
                self.workloads.remove(id);
            }
            _ => {}
        }
    }

    /// The workload ends with this answer, if it runs.
    pub(crate) fn end(&mut self, id: &str, answer: Result<(), ControllerError>) {
        if let Some(workload @ Workload::Running) = self.workloads.get_mut(id) {
            *workload = Workload::Ended(answer);
        }
    }
}
