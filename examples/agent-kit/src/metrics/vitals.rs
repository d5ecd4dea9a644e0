use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;

use onward::agent::{Runtime, WorkerHandle};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::task::AbortHandle;

use super::families::{Metrics, Now};
use crate::kind::Definition;
use crate::spec::TaskSpec;

/// The values of the agent that are read for each answer.
pub struct Vitals<D> {
    /// The tasks.
    pub tasks: WorkerHandle<TaskSpec<D>>,
    /// The runtime of the worker, for its time.
    pub runtime: Arc<dyn Runtime>,
    /// The Tokio task of the worker.
    pub worker: AbortHandle,
}

impl<D> fmt::Debug for Vitals<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl<D: Definition> Vitals<D> {
    /// Writes all metrics in the text format of Prometheus.
    pub(crate) fn metrics(&self, metrics: &Metrics) -> Result<String, String> {
        let tasks = self.tasks.tasks();
        let states = tasks.iter().map(|task| task.snapshot.status.state).collect();
        let since = self.tasks.unstored_since();
        let unstored_age = since.map(|since| self.runtime.now().saturating_sub(since));
        let max_descriptors = max_descriptors();
        let now = Now {
            states,
            unstored_age: unstored_age.unwrap_or_default(),
            open_descriptors: open_descriptors(max_descriptors),
            max_descriptors,
        };
        metrics.text(&now).map_err(|error| format!("cannot write the metrics: {error}"))
    }

    /// Returns why the agent is not healthy, if it is not.
    pub(crate) fn problem(&self, metrics: &Metrics) -> Option<String> {
        if self.worker.is_finished() {
            return Some("the worker has ended".to_owned());
        }
        let error = metrics.store_error()?;
        Some(format!("the last write to the store failed: {error}"))
    }
}

/// Returns the limit on open file descriptors. Infinity if there is no limit.
#[expect(clippy::cast_precision_loss, reason = "a number of descriptors is small")]
fn max_descriptors() -> f64 {
    getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |limit| limit as f64)
}

/// Returns the number of open file descriptors. NaN if they cannot be counted.
#[expect(clippy::cast_precision_loss, reason = "a number of descriptors is small")]
fn open_descriptors(max: f64) -> f64 {
    match fs::read_dir("/proc/self/fd") {
        // One of the entries is the open directory itself.
        Ok(entries) => entries.count().saturating_sub(1) as f64,
        Err(error) if is_exhausted(&error) => max,
        Err(_) => f64::NAN,
    }
}

/// Whether the process has reached its limit on open file descriptors.
fn is_exhausted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MFILE.raw_os_error())
}
