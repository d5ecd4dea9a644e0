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
    /// started. `None` if there is no such workload: [`Workload`] lists the clauses that are not
    /// checked then. Two calls with the same arguments return equal definitions.
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
    /// The real process goes on. So end the workloads that live in it here. The kit drops
    /// operations before it calls this method. A job that such an operation has given to a thread
    /// pool runs on in the kit, but would end with a real process. If an operation uses a thread
    /// pool, wait here for the jobs of dropped operations. Otherwise they take effect after the
    /// restart. This method may block.
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
///
/// The kit asks [`Subject::definition`] for these workloads. If it returns `None`, the clauses
/// that need the workload are not checked, and [`Report::unchecked`](super::Report::unchecked)
/// names them with the reason. That is not a breach.
///
/// - `Runs`: most clauses need it.
/// - `IgnoresShutdown`: `terminate-forces` needs it.
/// - `Exits(0)`: `life`, `prepare-dropped`, `prepare-repeated`, `prepare-new-controller`,
///   `start-dropped`, `start-repeated`, `start-new-controller`, `shutdown-of-nothing`,
///   `terminate-of-nothing`, `remove-leaves-nothing`, `close-keeps-workload` and
///   `update-unchanged` need it.
/// - `Exits(3)`: `wait-exit-code` and `inspect-exit-code` need it. For other clauses the kit uses
///   `Fails` instead if there is no `Exits(3)`.
/// - `Fails`: the kit uses it only if there is no `Exits(3)`. `wait-reports-failure` needs one of
///   the two.
/// - `DiesOfSignal(9)`: `wait-signal-exit-code` needs it. `wait` must return the exit code 137.
///
/// If there is none of `Exits(0)`, `Exits(3)` and `Fails`, no clause is checked that needs a
/// workload that ends by itself.
///
/// The kit asks for no other exit code and no other signal. A later version may do so: use the
/// number that it passes.
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
