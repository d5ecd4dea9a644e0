//~ type mismatch resolving `<Runner as Controller>::Definition == Job`
// A controller is offered the definitions that its executor has.
use onward::exec::{Assignment, Controller, ControllerError, Executor};

#[derive(Clone, PartialEq)]
struct Job(String);

struct Runner;

impl Controller for Runner {
    type Definition = String;

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

struct Runners;

impl Executor for Runners {
    type Definition = Job;
    type Controller = Runner;

    async fn controller(&self, _: &Assignment<Job>) -> Result<Runner, ControllerError> {
        Ok(Runner)
    }
}

fn main() {}
