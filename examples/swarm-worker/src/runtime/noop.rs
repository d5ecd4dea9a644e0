//! The controller of the runtime that runs nothing.

use std::future;

use onward::exec::{Controller, ControllerError};

use super::Expanded;

/// Succeeds at once. Its workload ends only by `shutdown`.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoopController;

impl Controller for NoopController {
    type Definition = Expanded;

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        future::pending().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}
