//! `Subject`: the executor, definitions and observations that an embedder gives to the kit.

use crate::exec::Executor;

/// A kind of controller to check: its executor, definitions of workloads, and what can be
/// observed of a workload from outside.
///
/// Four methods are required. The others return `None` by default. If one does, the clauses
/// that need it are not checked, and [`Report::unchecked`](super::Report::unchecked) names
/// them.
///
/// | method | clauses that need it |
/// |---|---|
/// | [`restarted`](Self::restarted) | `restart-…` |
/// | [`reconciler`](Self::reconciler) | `list-…`, `reconcile-…` |
/// | [`updated_definition`](Self::updated_definition) | `update-taken`, `update-dropped`, `update-new-controller` |
/// | [`refused_definition`](Self::refused_definition) | `update-refused` |
///
/// The [module](super) has a complete example.
pub trait Subject: Send + Sync {
    /// The type of the executor that makes the controllers.
    type Executor: Executor;

    /// The executor that makes the controllers. The kit calls
    /// [`Executor::controller`] several times for one task, as an agent does after a restart.
    fn executor(&self) -> &Self::Executor;

    /// A definition for the task `id` whose workload behaves like `workload` soon after it was
    /// started. `None` if there is no such workload. Two calls with the same arguments return
    /// equal definitions.
    ///
    /// Ids differ in every run of the kit. They begin with a letter, have only lower-case
    /// letters, digits and hyphens, and at most 63 of them. No id is the beginning of another one.
    fn definition(&self, id: &str, workload: Workload) -> Option<DefinitionOf<Self>>;

    /// What can be observed of the task's workload from outside, without its controller: from
    /// files that the workload writes, or from the list of processes. It must not block.
    fn observe(&self, id: &str) -> Observation;

    /// The executor of the next agent process, after this process was killed. It knows only
    /// what survives the process. Workloads that lived in this process have ended.
    ///
    /// The kit uses it for one task. It uses [`executor`](Self::executor) for other tasks
    /// afterwards, and [`observe`](Self::observe) must see what both have started.
    ///
    /// If the executor keeps nothing in memory, return a new one, made like the first.
    fn restarted(&self) -> Option<Self::Executor> {
        None
    }

    /// An executor that lists existing tasks and implements [`Executor::reconcile`], made as in
    /// an agent that has lost its store. Workloads that live in this process go on.
    ///
    /// If the executor keeps nothing in memory, return a new one, made like the first.
    /// Otherwise return a clone.
    fn reconciler(&self) -> Option<Self::Executor> {
        None
    }

    /// A definition that `update` must take at this point of the task's life. It differs from
    /// [`definition`](Self::definition) of the same `id` and `workload`, and its workload
    /// behaves the same. `None` if the controller takes no update at this point.
    ///
    /// [`observe`](Self::observe) must then return
    /// [`in_force`](Observation::in_force) when the workload runs.
    fn updated_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<DefinitionOf<Self>> {
        let _ = (id, workload, point);
        None
    }

    /// A definition that `update` must refuse at this point of the task's life. It differs from
    /// [`definition`](Self::definition) of the same `id` and `workload`. The best one has two
    /// changes, of which the controller could make one.
    ///
    /// [`observe`](Self::observe) must then return
    /// [`in_force`](Observation::in_force) when the workload runs.
    fn refused_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<DefinitionOf<Self>> {
        let _ = (id, workload, point);
        None
    }
}

/// The definition of a subject's tasks.
pub type DefinitionOf<S> = <<S as Subject>::Executor as Executor>::Definition;

/// How a workload behaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Workload {
    /// It runs until `shutdown` ends it.
    Runs,
    /// It runs on after `shutdown`, until `terminate` ends it.
    IgnoresShutdown,
    /// It ends by itself with this exit code. A workload without exit codes, for example a
    /// query or a request, ends successfully for 0, and there is none for other codes.
    Exits(i32),
    /// It ends by itself and fails. Used if there is no workload with an exit code other than
    /// 0.
    Fails,
    /// This signal ends it, for example because the process sends it to itself.
    DiesOfSignal(i32),
}

/// When an update is offered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum UpdatePoint {
    /// Before `prepare` was called.
    New,
    /// After `prepare` has succeeded, before `start` was called.
    Prepared,
    /// After `start` has succeeded, while the workload runs.
    Started,
}

impl UpdatePoint {
    /// All points, in their order.
    pub const ALL: [Self; 3] = [Self::New, Self::Prepared, Self::Started];
}

/// What can be observed of a task's workload from outside.
///
/// ```
/// use onward::testing::contract::Observation;
///
/// let running = Observation::default().with_starts(1).with_running(true).with_remains(true);
/// assert_eq!(running.in_force, None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Observation {
    /// How often the workload was ever started, counted by what it has left itself. A start
    /// that was undone completely need not be counted. The workload may count itself late: the
    /// kit relies on the number when the workload has ended by itself.
    pub starts: usize,
    /// Whether a part of the workload runs now.
    pub running: bool,
    /// Whether there is something that `remove` must remove: what `prepare` made, or a
    /// workload that runs.
    pub remains: bool,
    /// The definition that is in force. `None` if that cannot be observed, or not yet. The kit
    /// relies on it while the workload runs.
    pub in_force: Option<InForce>,
}

/// Which definition of a task is in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum InForce {
    /// Everything is as in [`Subject::definition`].
    Original,
    /// Everything is as in the definition that was offered to `update`.
    Updated,
    /// Some parts are as in the one, some as in the other.
    Mixed,
}

impl Observation {
    /// The same with another number of starts.
    #[must_use]
    pub fn with_starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// The same with another value of [`running`](Self::running).
    #[must_use]
    pub fn with_running(self, running: bool) -> Self {
        Self { running, ..self }
    }

    /// The same with another value of [`remains`](Self::remains).
    #[must_use]
    pub fn with_remains(self, remains: bool) -> Self {
        Self { remains, ..self }
    }

    /// The same with the definition that is in force.
    #[must_use]
    pub fn with_in_force(self, in_force: impl Into<Option<InForce>>) -> Self {
        Self { in_force: in_force.into(), ..self }
    }
}
