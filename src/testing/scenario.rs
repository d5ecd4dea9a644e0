//! What is wanted of a task, over time.

use crate::agent::{DriverHandle, Runtime};
use crate::exec::Assignment;
use alloc::vec::Vec;
use core::time::Duration;

/// What is wanted of one task over time: an assignment, and what follows it.
///
/// [`strategy::scenario`](super::strategy::scenario) makes them by chance.
///
/// ```
/// use core::time::Duration;
/// use futures::future::join;
/// use onward::agent::Driver;
/// use onward::testing::{Scenario, Script, ScriptedExecutor, VirtualPool, VirtualTime, Wish};
/// use onward::{Assignment, Task, TaskState};
/// use std::sync::Arc;
///
/// let shutdown = Assignment::new("t", ()).with_desired_state(TaskState::Shutdown);
/// let minute = Duration::from_secs(60);
/// let wishes = [(minute, Wish::Update(shutdown)), (2 * minute, Wish::Remove)];
/// let scenario = Scenario::new(Assignment::new("t", ()), wishes);
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let executor = ScriptedExecutor::new(|_| Script::new());
/// let assignment = scenario.assignment.clone();
/// let mut driver = Driver::new(Task::new(), assignment, executor, Arc::new(pool.clone()));
/// let handle = driver.handle();
/// pool.run_until(join(driver.run(), scenario.act(&handle, &pool))).unwrap();
/// assert_eq!(handle.status().state, TaskState::Complete);
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Scenario<D = u64> {
    /// What the driver begins with.
    pub assignment: Assignment<D>,
    /// What is wanted then, and when, in ascending order.
    pub wishes: Vec<(Duration, Wish<D>)>,
}

/// Something that is wanted of a task, after it was assigned.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Wish<D = u64> {
    /// [`DriverHandle::update`], which may be refused.
    Update(Assignment<D>),
    /// [`DriverHandle::remove`].
    Remove,
    /// [`DriverHandle::close`].
    Close,
}

impl<D: Clone + PartialEq> Scenario<D> {
    /// This assignment, and then this; wishes of the same moment stay in their order.
    pub fn new(
        assignment: Assignment<D>,
        wishes: impl IntoIterator<Item = (Duration, Wish<D>)>,
    ) -> Self {
        let mut wishes: Vec<_> = wishes.into_iter().collect();
        wishes.sort_by_key(|(at, _)| *at);
        Self { assignment, wishes }
    }

    /// Tells a driver what is wanted, when it is; ready after the last.
    pub async fn act(&self, handle: &DriverHandle<D>, runtime: &dyn Runtime) {
        for (at, wish) in &self.wishes {
            runtime.sleep_until(*at).await;
            match wish {
                // What is refused changes nothing.
                Wish::Update(assignment) => _ = handle.update(assignment.clone()),
                Wish::Remove => handle.remove(),
                Wish::Close => handle.close(),
            }
        }
    }
}
