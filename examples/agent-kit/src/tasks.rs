//! The tasks of an agent, as other parts of the program see them.

use onward::agent::WorkerHandle;

use crate::spec::TaskSpec;

/// A handle of the worker that runs the tasks.
pub type Tasks<D> = WorkerHandle<TaskSpec<D>>;

/// Checks that each of these names is one of the known ones. Lists those only if one is not.
///
/// # Errors
///
/// The first name that is not known, with a list of the known ones.
pub fn check_names(
    names: &[String],
    is_known: impl Fn(&str) -> bool,
    known: impl FnOnce() -> Vec<String>,
) -> Result<(), String> {
    let Some(unknown) = names.iter().find(|name| !is_known(name)) else { return Ok(()) };
    let known = known();
    if known.is_empty() {
        return Err(format!("there is no task {unknown:?}; there is none at all"));
    }
    Err(format!("there is no task {unknown:?}; there are {}", known.join(", ")))
}
