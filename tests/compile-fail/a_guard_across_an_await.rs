//~ future cannot be sent between threads safely
// A task may go to another thread at any `.await`, and a guard may not.
use onward::exec::{Controller, ControllerError};
use std::sync::{Arc, Mutex};

struct Counting(Arc<Mutex<u32>>);

async fn spawn() -> Result<(), ControllerError> {
    Ok(())
}

impl Controller for Counting {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        let mut count = self.0.lock().map_err(|_| "poisoned")?;
        spawn().await?;
        *count += 1;
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
