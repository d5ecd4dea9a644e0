//! A runtime on the model checker's threads, and an executor.

use futures::future::{BoxFuture, pending};
use onward::agent::Runtime;
use onward::agent::runtime::SpawnError;
use onward::exec::{Assignment, Controller, ControllerError, Executor};
use std::sync::Arc;
use std::time::Duration;
use time::UtcDateTime;

/// Its time stands still: nothing of it depends on a deadline.
pub(crate) struct Still;

impl Still {
    pub(crate) fn shared() -> Arc<dyn Runtime> {
        Arc::new(Self)
    }
}

impl Runtime for Still {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        drop(shuttle::future::spawn(future));
        Ok(())
    }

    fn utc_now(&self) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH
    }
}

/// Its tasks run until they are ended.
#[derive(Clone, Copy)]
pub(crate) enum Runs {
    /// Its calls return at once, so that the first thing that waits is `wait`.
    AtOnce,
    /// Some of its calls let other threads run first.
    Slowly,
}

impl Runs {
    async fn call(self) -> Result<(), ControllerError> {
        if let Self::Slowly = self {
            shuttle::future::yield_now().await;
        }
        Ok(())
    }
}

impl Executor for Runs {
    type Definition = u32;
    type Controller = Self;

    async fn controller(&self, _: &Assignment<u32>) -> Result<Self, ControllerError> {
        self.call().await?;
        Ok(*self)
    }
}

impl Controller for Runs {
    type Definition = u32;

    async fn update(&mut self, _: &u32) -> Result<(), ControllerError> {
        self.call().await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call().await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        pending().await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}
