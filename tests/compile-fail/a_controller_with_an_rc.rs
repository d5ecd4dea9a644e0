//~ `Rc<String>` cannot be sent between threads safely
// A driver may go to another thread, and takes its controller along.
use onward::exec::{Controller, ControllerError};
use std::rc::Rc;

struct Named(Rc<String>);

impl Controller for Named {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        println!("{}", self.0);
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
