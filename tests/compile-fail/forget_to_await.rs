//~ the `?` operator can only be applied to values that implement `Try`
// A future does nothing until it is awaited, and has no answer before.
use onward::exec::{Controller, ControllerError};

async fn stop(controller: &mut impl Controller) -> Result<(), ControllerError> {
    controller.shutdown()?;
    Ok(())
}

fn main() {}
