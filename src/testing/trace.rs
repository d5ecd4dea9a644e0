//! `Trace`: the calls of controllers, in their order.

use crate::exec::{Call, ControllerError};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An event of a call: its beginning or its end.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CallEvent {
    /// The agent's process died before this call, which is the first one of the next process.
    /// The contract kit called [`Subject::restarted`](super::contract::Subject::restarted).
    Restarted,
    /// The call was polled for the first time.
    Begun,
    /// The call succeeded.
    Succeeded,
    /// The call failed. The text is its error.
    Failed(String),
    /// The call panicked. The text is that of the panic.
    Panicked(String),
    /// The call was dropped before it returned.
    Dropped,
}

impl CallEvent {
    /// The event for this result of a call.
    pub(super) fn of<T>(answer: &Result<T, ControllerError>) -> Self {
        match answer {
            Ok(_) => Self::Succeeded,
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

impl fmt::Display for CallEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted => f.write_str("after `restarted`"),
            Self::Begun => f.write_str("begun"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}

/// One entry of a trace: the time, the task, the call and the event.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TraceEntry {
    /// The virtual time of the event.
    pub at: Duration,
    /// The task's id.
    pub id: String,
    /// The call.
    pub call: Call,
    /// The event of the call.
    pub event: CallEvent,
}

impl fmt::Display for TraceEntry {
    /// Writes for example `1.5s start begun`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.at, self.call, self.event)
    }
}

/// A record of calls, in their order.
///
/// Clones are the same trace.
///
/// ```
/// use onward::Controller;
/// use onward::testing::{Call, ScriptedController, Trace};
///
/// let trace = Trace::new();
/// let mut controller = ScriptedController::<()>::default().with_trace(trace.clone());
/// futures::executor::block_on(async {
///     controller.prepare().await?;
///     controller.start().await
/// })?;
/// assert_eq!(trace.calls(), [Call::Prepare, Call::Start]);
/// assert_eq!(trace.entries()[1].to_string(), "0ns prepare succeeded");
/// # Ok::<(), onward::ControllerError>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Trace(Arc<Mutex<Vec<TraceEntry>>>);

impl Trace {
    /// An empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// All entries.
    pub fn entries(&self) -> Vec<TraceEntry> {
        self.lock().clone()
    }

    /// Every call of every task, whether it returned or not.
    pub fn calls(&self) -> Vec<Call> {
        self.lock()
            .iter()
            .filter(|entry| entry.event == CallEvent::Begun)
            .map(TraceEntry::call)
            .collect()
    }

    /// The last call.
    pub fn last_call(&self) -> Option<Call> {
        self.lock().iter().rfind(|entry| entry.event == CallEvent::Begun).map(TraceEntry::call)
    }

    /// Removes all entries, also of the clones.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Appends an entry.
    pub fn record(&self, at: Duration, id: &str, call: Call, event: CallEvent) {
        self.lock().push(TraceEntry { at, id: id.into(), call, event });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TraceEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TraceEntry {
    fn call(&self) -> Call {
        self.call
    }
}

impl fmt::Display for Trace {
    /// Writes one line for each entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries().iter().try_for_each(|entry| writeln!(f, "{} {entry}", entry.id))
    }
}
