//! What there is in the world: something left of an id, and a workload.

use super::input::{Call, Error, Event};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Place(BTreeMap<String, Remains>);

/// What there is of one id.
#[derive(Default)]
struct Remains {
    /// The definitions to which it belongs: none is known of a stray.
    owners: BTreeSet<String>,
    is_stray: bool,
    /// It was there from the beginning: no task has started it.
    was_found: bool,
    workload: Option<Workload>,
}

enum Workload {
    Running,
    Ended(Option<Error>),
}

impl Place {
    pub(crate) fn with(strays: &[String]) -> Self {
        let stray = || {
            let workload = Some(Workload::Running);
            Remains { is_stray: true, was_found: true, workload, ..Remains::default() }
        };
        Self(strays.iter().map(|id| (id.clone(), stray())).collect())
    }

    pub(crate) fn left(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn has_left(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn is_stray(&self, id: &str) -> bool {
        self.0.get(id).is_some_and(|remains| remains.is_stray)
    }

    /// No task has started the workload.
    pub(crate) fn was_found(&self, id: &str) -> bool {
        self.0.get(id).is_some_and(|remains| remains.was_found)
    }

    pub(crate) fn belongs_to(&self, id: &str, definition: &str) -> bool {
        self.0.get(id).is_some_and(|remains| remains.owners.contains(definition))
    }

    pub(crate) fn runs(&self, id: &str) -> bool {
        let remains = self.0.get(id);
        remains.is_some_and(|remains| matches!(remains.workload, Some(Workload::Running)))
    }

    /// What `wait` does where no workload runs: it returns at once.
    pub(crate) fn known(&self, id: &str) -> Option<Call> {
        let error = match self.0.get(id).and_then(|remains| remains.workload.as_ref()) {
            Some(Workload::Running) => return None,
            Some(Workload::Ended(answer)) => answer.clone(),
            None => Some(Error {
                message: "no workload".to_owned(),
                kind: "failure".to_owned(),
                temporary: false,
            }),
        };
        Some(Call { takes_ms: Some(0), error, took_effect: false })
    }

    pub(crate) fn take_effect(&mut self, event: &Event) {
        let id = &event.id;
        match &*event.operation {
            "prepare" | "start" => {
                let remains = self.0.entry(id.clone()).or_default();
                remains.owners.insert(event.definition.clone());
                if event.operation == "start" {
                    remains.workload.get_or_insert(Workload::Running);
                }
            }
            "update" => {
                if let Some(remains) = self.0.get_mut(id) {
                    remains.owners = event.offered.iter().cloned().collect();
                    remains.is_stray = false;
                }
            }
            "shutdown" | "terminate" => self.end(id, None),
            "remove" | "reconcile" => _ = self.0.remove(id),
            _ => {}
        }
    }

    pub(crate) fn end(&mut self, id: &str, answer: Option<Error>) {
        if let Some(Remains { workload: Some(workload @ Workload::Running), .. }) =
            self.0.get_mut(id)
        {
            *workload = Workload::Ended(answer);
        }
    }
}
