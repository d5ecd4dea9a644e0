//! `Scenario`: an assignment, and the requests of a manager after it.

use crate::agent::{DriverHandle, Runtime};
use crate::exec::Assignment;
use alloc::vec::Vec;
use core::time::Duration;

/// An assignment, and the requests of a manager that follow it over time.
///
/// [`strategy::scenario`](super::strategy::scenario) generates random scenarios.
///
/// ```
/// use core::time::Duration;
/// use futures::future::join;
/// use onward::agent::Driver;
/// use onward::testing::{Scenario, Script, ScriptedExecutor, VirtualPool, VirtualTime, Request};
/// use onward::{Assignment, Task, TaskState};
/// use std::sync::Arc;
///
/// let shutdown = Assignment::new("t", ()).with_desired_state(TaskState::Shutdown);
/// let minute = Duration::from_secs(60);
/// let requests = [(minute, Request::Update(shutdown)), (2 * minute, Request::Remove)];
/// let scenario = Scenario::new(Assignment::new("t", ()), requests);
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let executor = ScriptedExecutor::new(|_| Script::new());
/// let assignment = scenario.assignment.clone();
/// let mut driver = Driver::new(Task::new(), assignment, executor, Arc::new(pool.clone()));
/// let handle = driver.handle();
/// pool.run_until(join(driver.run(), scenario.send(&handle, &pool))).unwrap();
/// assert_eq!(handle.status().state, TaskState::Complete);
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Scenario<D = u64> {
    /// The assignment that the driver starts with.
    pub assignment: Assignment<D>,
    /// The requests after it, each with its time, in ascending order.
    pub requests: Vec<(Duration, Request<D>)>,
}

/// A request of a manager to the driver of a task.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Request<D = u64> {
    /// Calls [`DriverHandle::update`], which may refuse it.
    Update(Assignment<D>),
    /// Calls [`DriverHandle::remove`].
    Remove,
    /// Calls [`DriverHandle::close`].
    Close,
}

impl<D: Clone + PartialEq> Scenario<D> {
    /// A scenario with this assignment and these requests. Requests of the same time keep
    /// their order.
    pub fn new(
        assignment: Assignment<D>,
        requests: impl IntoIterator<Item = (Duration, Request<D>)>,
    ) -> Self {
        let mut requests: Vec<_> = requests.into_iter().collect();
        requests.sort_by_key(|(at, _)| *at);
        Self { assignment, requests }
    }

    /// Sends each request to a driver at its time. Returns after the last one.
    pub async fn send(&self, handle: &DriverHandle<D>, runtime: &dyn Runtime) {
        for (at, request) in &self.requests {
            runtime.sleep_until(*at).await;
            match request {
                // A refused update changes nothing.
                Request::Update(assignment) => _ = handle.update(assignment.clone()),
                Request::Remove => handle.remove(),
                Request::Close => handle.close(),
            }
        }
    }
}
