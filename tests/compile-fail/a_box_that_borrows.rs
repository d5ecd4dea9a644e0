//~ borrowed data escapes outside of function
// A controller in a box may outlive whoever made it.
use onward::exec::{BoxController, Controller, ControllerError};

struct Named<'a>(&'a str);

impl Controller for Named<'_> {
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

fn controller(name: &str) -> BoxController<()> {
    Named(name).boxed()
}

fn main() {}
