//! `Subject`: the executor, the definitions and the observations that you give to the kit.

use crate::exec::Executor;

/// The controllers to check, with definitions and observations of their workloads. You
/// implement it.
///
/// The type and three methods are required. The others return `None` by default, and the clauses that
/// need them are then not checked. [`Report::unchecked`](super::Report::unchecked) names
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

    /// A definition for the task `id` whose workload behaves like `workload` soon after its
    /// start. Return `None` if there is no such workload. [`Workload`] lists the clauses
    /// that are then not checked. Two calls with the same arguments must return equal
    /// definitions.
    ///
    /// Ids differ in every run of the kit. An id begins with a letter, contains only
    /// lower-case letters, digits, hyphens and a dot, and has at most 63 characters. No id
    /// is a prefix of another one.
    fn definition(&self, id: &str, workload: Workload) -> Option<DefinitionOf<Self>>;

    /// The task's workload as it can be observed from outside, without its controller: for
    /// example from files that the workload writes, or from the list of processes. It must
    /// not block.
    fn observe(&self, id: &str) -> Observation;

    /// The executor of the next agent process, after this process was killed. It knows only
    /// what survives the process. Workloads inside this process have ended.
    ///
    /// The real process continues, so this method has two more duties:
    ///
    /// - End the workloads that live in this process.
    /// - If an operation uses a thread pool, wait for the jobs of dropped operations. The
    ///   kit drops operations before it calls this method, but their jobs continue. With a
    ///   real process they would end. Here they would take effect after the restart.
    ///
    /// This method may block. If it waits for tokio tasks, the runtime needs several threads:
    /// write `#[tokio::test(flavor = "multi_thread")]`. Otherwise it blocks the only thread, and the
    /// test hangs.
    ///
    /// The kit uses the returned executor for one task. Afterwards it uses
    /// [`executor`](Self::executor) for other tasks. [`observe`](Self::observe) must see
    /// the workloads of both.
    ///
    /// If the executor keeps nothing in memory, return a new one, made like the first.
    fn restarted(&self) -> Option<Self::Executor> {
        None
    }

    /// An executor that lists existing tasks and implements [`Executor::reconcile`], made
    /// as in an agent that has lost its store. Workloads inside this process continue to
    /// run.
    ///
    /// If the executor keeps nothing in memory, return a new one, made like the first.
    /// Otherwise return a clone.
    fn reconciler(&self) -> Option<Self::Executor> {
        None
    }

    /// A definition that `update` must accept at this point of the task's life. It differs
    /// from [`definition`](Self::definition) of the same `id` and `workload`, and its
    /// workload behaves the same. Return `None` if the controller accepts no update at this
    /// point.
    ///
    /// While the workload runs, [`observe`](Self::observe) must then return
    /// [`in_force`](Observation::in_force).
    fn updated_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<DefinitionOf<Self>> {
        let _ = (id, workload, point);
        None
    }

    /// A definition that `update` must reject at this point of the task's life. It differs
    /// from [`definition`](Self::definition) of the same `id` and `workload`. The best
    /// definition has two changes, one of which the controller could make.
    ///
    /// While the workload runs, [`observe`](Self::observe) must then return
    /// [`in_force`](Observation::in_force).
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

/// The behavior of a workload that the kit needs from [`Subject::definition`].
///
/// If there is no definition, the clauses that need the workload are not checked.
/// [`Report::unchecked`](super::Report::unchecked) names them with the reason. That is not
/// a breach.
///
/// - `Runs`: most clauses need it.
/// - `IgnoresShutdown`: `terminate-forces` needs it.
/// - `Exits(0)`: `life`, `prepare-dropped`, `prepare-repeated`, `prepare-new-controller`,
///   `start-dropped`, `start-repeated`, `start-new-controller`, `shutdown-of-nothing`,
///   `terminate-of-nothing`, `remove-leaves-nothing`, `close-keeps-workload` and
///   `update-unchanged` need it.
/// - `Exits(3)`: `wait-exit-code` and `inspect-exit-code` need it. For other clauses the kit uses
///   `Fails` instead if there is no `Exits(3)`.
/// - `Fails`: the kit uses it only if there is no `Exits(3)`. `wait-reports-failure` needs
///   one of the two.
/// - `DiesOfSignal(9)`: `wait-signal-exit-code` needs it. `wait` must return the exit code 137.
///
/// If there is none of `Exits(0)`, `Exits(3)` and `Fails`, every clause that needs a
/// workload that ends by itself is unchecked.
///
/// The kit uses no other exit code and no other signal. A later version may use others, so
/// use the number that it passes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Workload {
    /// It runs until `shutdown` ends it.
    Runs,
    /// It continues after `shutdown`, until `terminate` ends it.
    IgnoresShutdown,
    /// It ends by itself with this exit code. A workload without exit codes, for example a
    /// query or a request, supports only 0: it ends with success.
    Exits(i32),
    /// It ends by itself and fails. The kit uses it only if there is no workload with an
    /// exit code other than 0.
    Fails,
    /// This signal ends it, for example because the process sends it to itself.
    DiesOfSignal(i32),
}

/// The point of a task's life at which the kit calls `update`.
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

/// The state of a task's workload, as observed from outside.
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
    /// How often the workload was started, as counted by traces that the workload itself
    /// leaves. A start that was undone completely need not be counted. A continuation after a restart of the agent is not
    /// a start, so it is not counted. The count may lag
    /// behind. The kit relies on it when the workload has ended by itself.
    pub starts: usize,
    /// Whether a part of the workload runs now.
    pub running: bool,
    /// Whether something exists that `remove` must remove: a workload that runs, or
    /// something that `prepare` created.
    pub remains: bool,
    /// The definition that is in force. `None` if that cannot be observed, or not yet. The
    /// kit relies on it while the workload runs.
    pub in_force: Option<InForce>,
}

/// Which definition of a task is in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum InForce {
    /// All parts are as in [`Subject::definition`].
    Original,
    /// All parts are as in the definition that was passed to `update`.
    Updated,
    /// Some parts are as in the one, some as in the other.
    Mixed,
}

impl Observation {
    /// The same observation with another number of [`starts`](Self::starts). Do not count a
    /// continuation: if the next agent process continues a workload, that is not a start.
    #[must_use]
    pub fn with_starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// The same observation with another value of [`running`](Self::running).
    #[must_use]
    pub fn with_running(self, running: bool) -> Self {
        Self { running, ..self }
    }

    /// The same observation with another value of [`remains`](Self::remains).
    #[must_use]
    pub fn with_remains(self, remains: bool) -> Self {
        Self { remains, ..self }
    }

    /// The same observation with this definition in force.
    #[must_use]
    pub fn with_in_force(self, in_force: impl Into<Option<InForce>>) -> Self {
        Self { in_force: in_force.into(), ..self }
    }
}
