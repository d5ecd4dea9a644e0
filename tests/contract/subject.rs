//! The executor of the world, and what the kit observes of it.

use crate::operator::Operator;
use crate::plan::Plan;
use crate::world::{Work, World};
use crate::wrong::Wrong;
use onward::exec::{Assignment, ControllerError, Executor};
use onward::testing::contract::{InForce, Observation, Subject, UpdatePoint, Workload};
use std::future::pending;

impl Executor for World {
    type Definition = Plan;
    type Controller = Operator;

    async fn controller(&self, assignment: &Assignment<Plan>) -> Result<Operator, ControllerError> {
        if self.wrong == Wrong::MakesNoController {
            return Err(ControllerError::new("no such kind"));
        }
        let Assignment { id, definition, .. } = assignment.clone();
        Ok(Operator {
            world: self.clone(),
            id: id.to_string(),
            definition,
            tries: 0,
            begun: Vec::new(),
            done: Vec::new(),
        })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        self.pause().await;
        if self.wrong == Wrong::HangsInList {
            pending::<()>().await;
        }
        let works = self.lock();
        let is_listed = |work: &Work| match self.wrong {
            Wrong::ListsNothing => false,
            Wrong::ListsOnlyRunningTasks => work.is_running(),
            Wrong::ListsRemovedTasks => work.prepared || work.happened.contains("removed"),
            _ => work.prepared,
        };
        let listed = works.iter().filter(|(_, work)| is_listed(work));
        Ok(listed.map(|(id, _)| id.clone()).collect())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        // A correct executor counts too.
        let is_first = |work: &mut Work| work.happened.insert("reconcile tried");
        if is_first(self.lock().entry(id.to_owned()).or_default()) {
            return Err(ControllerError::new("busy").temporary());
        }
        let work = self.lock().entry(id.to_owned()).or_default().clone();
        let has = |what| work.happened.contains(what);
        let (begun, done) = (has("reconcile begun"), has("reconcile done"));
        match self.wrong {
            Wrong::ReconcilesNothing => return Ok(()),
            Wrong::ReconcilesOnlyEndedTasks if work.is_running() => return Ok(()),
            Wrong::ReconcilesOnlyOnce if done => return Err("it is gone".into()),
            Wrong::ReconcilesOnlyExistingTasks if !work.prepared && !begun => {
                return Err("there is nothing".into());
            }
            Wrong::HangsAfterADroppedReconcile if begun && !done => pending::<()>().await,
            _ => {}
        }
        let change = |change: fn(&mut Work)| {
            let mut works = self.lock();
            let of_all = self.wrong == Wrong::ReconcilesEverything;
            works
                .iter_mut()
                .filter(|(other, _)| of_all || *other == id)
                .for_each(|(_, w)| change(w));
        };
        change(|work| _ = work.happened.insert("reconcile begun"));
        self.pause().await;
        change(|work| {
            if work.started_at.is_some() {
                work.ended.get_or_insert(137);
            }
        });
        self.pause().await;
        let leaves = self.wrong == Wrong::LeavesFilesInReconcile && work.is_running();
        if !leaves {
            change(|work| {
                work.prepared = false;
                work.happened.insert("removed");
            });
        }
        change(|work| _ = work.happened.insert("reconcile done"));
        Ok(())
    }
}

impl Subject for World {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Plan> {
        let exists = !self.without.contains(&workload);
        exists.then_some(Plan::new(workload))
    }
    fn updated_definition(&self, _: &str, workload: Workload, _: UpdatePoint) -> Option<Plan> {
        let plan = Plan { first: 1, second: 1, ..Plan::new(workload) };
        (!self.without_hooks).then_some(plan)
    }
    fn refused_definition(&self, _: &str, workload: Workload, _: UpdatePoint) -> Option<Plan> {
        let plan = Plan { first: 1, second: 10, ..Plan::new(workload) };
        (!self.without_hooks).then_some(plan)
    }
    fn reconciler(&self) -> Option<Self> {
        (!self.without_hooks).then(|| self.clone())
    }
    fn restarted(&self) -> Option<Self> {
        if self.without_hooks {
            return None;
        }
        let dies = [
            Wrong::NothingAndIsMortal,
            Wrong::NothingAndContinuesLate,
            Wrong::WaitsForALostWorkload,
            Wrong::WaitsForALostWorkloadUnlessStartIsCalled,
            Wrong::HangsInStartOfALostWorkload,
            Wrong::StartsALostWorkloadAgain,
            Wrong::CannotShutDownALostWorkload,
        ];
        for work in self.lock().values_mut().filter(|work| work.started_at.is_some()) {
            work.lost |= match work.ended {
                None => dies.contains(&self.wrong),
                Some(_) => self.wrong == Wrong::LosesTheResultWithItsProcess,
            };
        }
        Some(Self { reborn: true, ..self.clone() })
    }
    fn observe(&self, id: &str) -> Observation {
        let work = self.lock().get(id).cloned().unwrap_or_default();
        let late = work.late.is_some_and(|late| late <= self.time.now());
        let running = work.is_running() || late && work.started_at.is_none();
        Observation::default()
            .with_starts(work.starts)
            .with_running(running)
            .with_remains(work.prepared)
            .with_in_force(work.settings.map(|settings| match settings {
                (0, 0) => InForce::Original,
                (1, 1 | 10) => InForce::Updated,
                _ => InForce::Mixed,
            }))
    }
}
