//! What was called on controllers, in the order in which it happened.

use crate::exec::{Call, ControllerError};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happened to a call.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CallEvent {
    /// It was polled for the first time.
    Begun,
    /// It succeeded.
    Succeeded,
    /// It failed, with this text.
    Failed(String),
    /// It panicked, with this text.
    Panicked(String),
    /// It was dropped before it had an answer.
    Dropped,
}

impl CallEvent {
    /// What an answer is.
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
            Self::Begun => f.write_str("begun"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}

/// One thing that happened: when, of which task, to which call.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TraceEntry {
    /// When it was, in the time of a timer.
    pub at: Duration,
    /// The task's id.
    pub id: String,
    /// What was called.
    pub call: Call,
    /// What happened to the call.
    pub event: CallEvent,
}

impl fmt::Display for TraceEntry {
    /// Writes `1.5s start begun`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.at, self.call, self.event)
    }
}

/// What was called, in the order in which it happened. Clones are the same trace.
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

    /// All that has happened.
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

    /// What was called last.
    pub fn last_call(&self) -> Option<Call> {
        self.lock().iter().rfind(|entry| entry.event == CallEvent::Begun).map(TraceEntry::call)
    }

    /// Begins anew; clones do, too.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Puts down what has happened.
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
    /// Writes one line an entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries().iter().try_for_each(|entry| writeln!(f, "{} {entry}", entry.id))
    }
}
