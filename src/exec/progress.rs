//! `ProgressReporter`: lines of progress from a controller while it prepares.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;

/// Reports lines of progress from a controller, for example "pulling layer 3 of 7".
///
/// A controller receives it in
/// [`Controller::set_progress`](super::Controller::set_progress). The driver shows the
/// last line while the task is in PREPARING. A line is not part of the task's status, so
/// it is neither stored nor reported to a manager.
///
/// Clones are cheap and report to the same place.
///
/// ```
/// use onward::exec::ProgressReporter;
/// use std::sync::{Arc, Mutex};
///
/// let lines = Arc::new(Mutex::new(Vec::new()));
/// let shown = lines.clone();
/// let progress = ProgressReporter::new(move |line| shown.lock().unwrap().push(line));
///
/// progress.report("connecting");
/// progress.clone().report(format!("pulling layer {} of {}", 3, 7));
/// assert_eq!(*lines.lock().unwrap(), ["connecting", "pulling layer 3 of 7"]);
/// ```
#[derive(Clone)]
pub struct ProgressReporter(Arc<dyn Fn(Cow<'static, str>) + Send + Sync>);

impl ProgressReporter {
    /// A reporter that calls `show` with each line.
    ///
    /// The controller calls it on the thread of its operation, so `show` must not block.
    pub fn new(show: impl Fn(Cow<'static, str>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }

    /// Reports a line. It replaces the previous one.
    pub fn report(&self, line: impl Into<Cow<'static, str>>) {
        (self.0)(line.into());
    }
}

impl fmt::Debug for ProgressReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressReporter").finish_non_exhaustive()
    }
}
