//~ can't compare `Job` with `Job`
// Whether a definition has changed is seen by comparing it.
use onward::exec::{Assignment, BoxController, ControllerError, Executor};

#[derive(Clone)]
struct Job(String);

struct Runners;

impl Executor for Runners {
    type Definition = Job;
    type Controller = BoxController<Job>;

    async fn controller(&self, job: &Assignment<Job>) -> Result<BoxController<Job>, ControllerError> {
        Err(ControllerError::new(job.definition.0.clone()))
    }
}

fn main() {}
