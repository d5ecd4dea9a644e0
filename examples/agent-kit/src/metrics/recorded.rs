use std::sync::Arc;

use super::families::Metrics;
use crate::history::History;

/// What an agent records to serve it over HTTP: the metrics, and the histories of the tasks.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The histories of the tasks.
    pub history: Arc<History>,
}

impl Recorded {
    /// Makes metrics with all counters at 0, and empty histories.
    ///
    /// # Errors
    ///
    /// The same as [`Metrics::new`].
    pub fn new() -> prometheus::Result<Self> {
        Ok(Self { metrics: Arc::new(Metrics::new()?), history: Arc::default() })
    }
}
