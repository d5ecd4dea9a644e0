//! A driver in virtual time, with an executor that follows a script.

use onward::agent::driver::DefinitionStatus;
use onward::agent::policy::Backoff;
use onward::agent::{Driver, DriverExit, DriverHandle, Policy, Runtime, Snapshot};
use onward::exec::{Assignment, ControllerError, Executor};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, Script, ScriptedExecutor, Trace, Turn, VirtualPool, VirtualTime,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Life {
    pub(crate) pool: VirtualPool,
    pub(crate) handle: DriverHandle<u64>,
    pub(crate) trace: Trace,
    exit: Arc<Mutex<Option<DriverExit>>>,
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A policy with retries after 1 s, 2 s, 4 s and so on.
pub(crate) fn policy() -> Policy {
    Policy::default().with_backoff(Backoff::default().with_jitter(0.0).unwrap())
}

pub(crate) fn busy() -> Behavior {
    Behavior::fails(ControllerError::new("busy").temporary())
}

pub(crate) fn update(definition: u64) -> Assignment<u64> {
    Assignment::new("t", definition)
}

pub(crate) fn shutdown(definition: u64) -> Assignment<u64> {
    update(definition).with_desired_state(TaskState::Shutdown)
}

/// A script in which `wait` hangs, unless the test changes it.
pub(crate) fn waits() -> Script {
    Script::new().with(Call::Wait, [Behavior::hangs()])
}

impl Life {
    /// Starts with a task in ASSIGNED. Each definition has its own script.
    pub(crate) fn of(
        policy: Policy,
        script: impl Fn(u64) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::in_state(TaskState::Assigned, policy, |driver| driver, script)
    }

    pub(crate) fn in_state(
        state: TaskState,
        policy: Policy,
        change: impl FnOnce(Driver<ScriptedExecutor<u64>>) -> Driver<ScriptedExecutor<u64>>,
        script: impl Fn(u64) -> Script + Send + Sync + 'static,
    ) -> Self {
        let pool = VirtualPool::new(VirtualTime::new(), 0);
        let script = move |assignment: &Assignment<u64>| script(assignment.definition);
        let executor = ScriptedExecutor::new(script).with_time(pool.time().clone());
        let trace = executor.trace().clone();
        let task = AnyTask::resume(TaskStatus::new(state));
        let driver = Driver::new(task, update(1), executor, Arc::new(pool.clone()));
        Self::driven(pool, trace, change(driver.with_policy(policy)))
    }

    pub(crate) fn driven<E>(pool: VirtualPool, trace: Trace, mut driver: Driver<E>) -> Self
    where
        E: Executor<Definition = u64> + 'static,
    {
        let (handle, exit) = (driver.handle(), Arc::new(Mutex::new(None)));
        let ended = exit.clone();
        let run = async move { *ended.lock().unwrap() = Some(driver.run().await) };
        pool.spawn(Box::pin(run)).unwrap();
        Self { pool, handle, trace, exit }
    }

    /// Runs the driver until this time, in milliseconds since its start.
    pub(crate) fn until(&self, millis: u64) -> Snapshot {
        let time = self.pool.time();
        let sleep = time.sleep_until(Duration::from_millis(millis), Turn::Script);
        self.pool.run_until(sleep).unwrap();
        self.handle.snapshot()
    }

    /// The calls so far, without inspections.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.trace.calls().into_iter().filter(|call| *call != Call::Inspect).collect()
    }

    pub(crate) fn state(&self) -> TaskState {
        self.handle.status().state
    }

    pub(crate) fn err(&self) -> String {
        self.handle.status().err.unwrap_or_default().into_owned()
    }

    pub(crate) fn definition(&self) -> DefinitionStatus {
        self.handle.snapshot().definition
    }

    pub(crate) fn exit(&self) -> Option<DriverExit> {
        self.exit.lock().unwrap().clone()
    }
}
