//~ not all trait items implemented, missing: `shutdown`
// What has no default has to be written.
use onward::exec::{Controller, ControllerError};

struct Forever;

impl Controller for Forever {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        std::future::pending().await
    }
}

fn main() {}
