//! The tasks of an agent, for other parts of the program.

use onward::agent::WorkerHandle;

use crate::spec::TaskSpec;

/// A handle to the worker that runs the tasks.
pub type Tasks<D> = WorkerHandle<TaskSpec<D>>;

/// Checks that all these names are known. `known` is called only to list the names in the error.
///
/// # Errors
///
/// The error names the first unknown name, and lists the known ones.
pub fn check_names(
    names: &[String],
    is_known: impl Fn(&str) -> bool,
    known: impl FnOnce() -> Vec<String>,
) -> Result<(), String> {
    let Some(unknown) = names.iter().find(|name| !is_known(name)) else { return Ok(()) };
    let known = known();
    if known.is_empty() {
        return Err(format!("there is no task {unknown:?}; there are no tasks"));
    }
    Err(format!("there is no task {unknown:?}; the tasks are {}", known.join(", ")))
}
