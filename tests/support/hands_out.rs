//! An executor for tests that make their controller themselves.

use onward::agent::{Driver, DriverHandle, Runtime};
use onward::exec::{Assignment, Controller, ControllerError, Executor};
use onward::lifecycle::AnyTask;
use std::sync::{Arc, Mutex};

/// Hands out one controller, once.
pub(crate) struct HandsOut<C>(Mutex<Option<C>>);

impl<C> HandsOut<C> {
    pub(crate) fn new(controller: C) -> Self {
        Self(Mutex::new(Some(controller)))
    }
}

impl<C: Controller> Executor for HandsOut<C>
where
    C::Definition: Clone + PartialEq + Send + Sync + 'static,
{
    type Definition = C::Definition;
    type Controller = C;

    async fn controller(&self, _: &Assignment<C::Definition>) -> Result<C, ControllerError> {
        let controller = self.0.lock().unwrap().take();
        controller.ok_or_else(|| ControllerError::new("the controller was handed out before"))
    }
}

/// A driver that gets this controller, and its handle.
pub(crate) fn driver_of<C: Controller>(
    task: AnyTask,
    assignment: Assignment<C::Definition>,
    controller: C,
    runtime: impl Runtime + 'static,
) -> (Driver<HandsOut<C>>, DriverHandle<C::Definition>)
where
    C::Definition: Clone + PartialEq + Send + Sync + 'static,
{
    let driver = Driver::new(task, assignment, HandsOut::new(controller), Arc::new(runtime));
    let handle = driver.handle();
    (driver, handle)
}
