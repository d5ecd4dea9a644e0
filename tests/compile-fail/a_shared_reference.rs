//~ method `start` has an incompatible type for trait
// An operation has its controller for itself.
use onward::exec::{Controller, ControllerError};

struct Shared;

impl Controller for Shared {
    type Definition = ();

    async fn start(&self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

fn main() {}
