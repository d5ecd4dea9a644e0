//! An executor whose calls follow a closure, and a list of all calls.

use onward::exec::{
    Assignment, Controller, ControllerError, ControllerLogs, Executor, Inspection, LogPublisher,
    LogSubscriptionOptions, SharedLogs,
};
use onward::testing::{Turn, VirtualTime};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The behavior of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Returns,
    /// It returns after this many milliseconds.
    Takes(u64),
    Hangs,
    Fails(&'static str),
    FailsForNow(&'static str),
    /// It fails, and the error panics when it is formatted.
    FailsWithBomb,
    Panics,
    /// It hangs, and panics when its future is dropped.
    PanicsWhenDropped,
}

/// Returns the behavior of a call, from the task's id, its definition and the name of the call. The
/// names are those of the operations, and `controller`, `list`, `reconcile`, `logs` and `drop`.
type Plan = Box<dyn Fn(&str, &str, &str) -> Act + Send + Sync>;

/// The executor, and its calls so far. Clones are the same executor.
#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    time: VirtualTime,
    plan: Plan,
    calls: Mutex<Vec<String>>,
    existing: Mutex<Vec<String>>,
}

/// The plan of tasks that run until they are shut down.
pub(crate) fn runs(_: &str, _: &str, call: &str) -> Act {
    if call == "wait" { Act::Hangs } else { Act::Returns }
}

impl World {
    pub(crate) fn new(plan: impl Fn(&str, &str, &str) -> Act + Send + Sync + 'static) -> Self {
        let (time, plan) = (VirtualTime::new(), Box::new(plan));
        Self(Arc::new(Inner { time, plan, calls: Mutex::default(), existing: Mutex::default() }))
    }

    pub(crate) fn time(&self) -> &VirtualTime {
        &self.0.time
    }

    /// Makes workloads with these ids, which are not assigned.
    pub(crate) fn with_existing(self, ids: &[&str]) -> Self {
        *self.0.existing.lock().unwrap() = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.calls.lock().unwrap()
    }

    /// All calls in their order: `x/A start` when it begins, `x/A start returned` or
    /// `x/A start failed` when it ends.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Writes a line into the list of calls.
    pub(crate) fn mark(&self, line: &str) {
        self.lock().push(line.to_owned());
    }

    /// The number of times that a line is in the list of calls.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lock().iter().filter(|call| *call == line).count()
    }

    /// The index of the first such line in the list of calls.
    pub(crate) fn position(&self, line: &str) -> Option<usize> {
        self.lock().iter().position(|call| call == line)
    }

    #[track_caller]
    pub(crate) fn assert_called(&self, line: &str) {
        assert!(self.count(line) > 0, "`{line}` was not called: {self:?}");
    }

    #[track_caller]
    pub(crate) fn assert_not_called(&self, line: &str) {
        assert_eq!(self.count(line), 0, "`{line}` was called: {self:?}");
    }

    /// The calls after a mark.
    pub(crate) fn calls_after(&self, mark: &str) -> Vec<String> {
        let calls = self.calls();
        let place = calls.iter().position(|call| call == mark).expect("the line was marked");
        calls[place + 1..].to_vec()
    }

    async fn call(&self, id: &str, definition: &str, call: &str) -> Result<(), ControllerError> {
        let line = format!("{id}/{definition} {call}");
        self.mark(&line);
        let result = match (self.0.plan)(id, definition, call) {
            Act::Returns => Ok(()),
            Act::Takes(millis) => {
                let until = self.time().now() + Duration::from_millis(millis);
                self.time().sleep_until(until, Turn::Controller).await;
                Ok(())
            }
            Act::Hangs => pending().await,
            Act::Fails(error) => Err(ControllerError::new(error)),
            Act::FailsForNow(error) => Err(ControllerError::new(error).temporary()),
            Act::FailsWithBomb => Err(ControllerError::new("it failed").with_source(BombError)),
            Act::Panics => panic!("{call} panics as planned"),
            Act::PanicsWhenDropped => {
                let _bomb = Bomb;
                pending().await
            }
        };
        self.mark(&format!("{line} {}", if result.is_ok() { "returned" } else { "failed" }));
        result
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter()).finish()
    }
}

/// An error that panics when it is formatted.
#[derive(Debug)]
struct BombError;

impl fmt::Display for BombError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("an error panics as planned")
    }
}

impl std::error::Error for BombError {}

/// Panics when it is dropped.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a drop panics as planned");
    }
}

impl Executor for World {
    type Definition = String;
    type Controller = Operator;

    async fn controller(
        &self,
        assignment: &Assignment<String>,
    ) -> Result<Operator, ControllerError> {
        self.call(&assignment.id, &assignment.definition, "controller").await?;
        let (id, definition) = (assignment.id.to_string(), assignment.definition.clone());
        Ok(Operator { world: self.clone(), id, definition })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        self.call("", "", "list").await?;
        Ok(self.0.existing.lock().unwrap().clone())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.call(id, "", "reconcile").await?;
        self.0.existing.lock().unwrap().retain(|other| other != id);
        Ok(())
    }
}

/// A controller of this executor.
pub(crate) struct Operator {
    world: World,
    id: String,
    definition: String,
}

impl Operator {
    async fn call(&self, call: &str) -> Result<(), ControllerError> {
        self.world.call(&self.id, &self.definition, call).await
    }

    fn plans(&self, call: &str) -> Act {
        (self.world.0.plan)(&self.id, &self.definition, call)
    }
}

impl Controller for Operator {
    type Definition = String;

    async fn update(&mut self, definition: &String) -> Result<(), ControllerError> {
        self.world.call(&self.id, definition, "update").await?;
        self.definition.clone_from(definition);
        Ok(())
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call("prepare").await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call("start").await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call("wait").await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call("shutdown").await
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.call("terminate").await
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.call("remove").await
    }
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.call("close").await
    }
    async fn inspect(&mut self) -> Inspection {
        _ = self.call("inspect").await;
        Inspection::default()
    }
    /// Logs that never end, if the plan says that `logs` hangs. They may panic when dropped.
    fn logs(&self) -> Option<SharedLogs> {
        match self.plans("logs") {
            Act::Panics => panic!("logs panics as planned"),
            Act::Hangs => Some(SharedLogs::new(Silent(None))),
            Act::PanicsWhenDropped => Some(SharedLogs::new(Silent(Some(Bomb)))),
            _ => None,
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let panics = self.plans("drop") == Act::Panics;
        assert!(!panics || std::thread::panicking(), "a dropped controller panics as planned");
    }
}

/// Logs without messages.
struct Silent(#[expect(dead_code, reason = "it is dropped")] Option<Bomb>);

impl ControllerLogs for Silent {
    async fn logs<P: LogPublisher>(
        &self,
        _: P,
        _: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        pending().await
    }
}
