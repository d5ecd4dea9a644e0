//! A scenario as the format's page describes it, read without the library.

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// The states in their order, by their names on the wire.
pub(crate) const STATES: [&str; 14] = [
    "new",
    "pending",
    "assigned",
    "accepted",
    "preparing",
    "ready",
    "starting",
    "running",
    "complete",
    "shutdown",
    "failed",
    "rejected",
    "remove",
    "orphaned",
];

/// The rank of a state: its place among [`STATES`].
pub(crate) fn rank(state: &str) -> usize {
    STATES.iter().position(|name| *name == state).expect("the name of a state")
}

#[derive(Deserialize)]
pub(crate) struct Scenario {
    pub(crate) task: Task,
    #[serde(default)]
    pub(crate) policy: Policy,
    #[serde(default)]
    controller: HashMap<String, Vec<Call>>,
    #[serde(default)]
    pub(crate) script: Vec<Entry>,
    pub(crate) until_ms: u64,
}

#[derive(Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) desired_state: String,
    pub(crate) status: Value,
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) retry_initial_ms: u64,
    pub(crate) retry_max_ms: u64,
    pub(crate) retry_factor: f64,
    pub(crate) retry_jitter: f64,
    pub(crate) prepare_deadline_ms: Option<u64>,
    pub(crate) start_deadline_ms: Option<u64>,
    pub(crate) shutdown_grace_ms: Option<u64>,
}

impl Default for Policy {
    /// What the documentation of `Policy::default` promises.
    fn default() -> Self {
        Self {
            retry_initial_ms: 1_000,
            retry_max_ms: 30_000,
            retry_factor: 2.0,
            retry_jitter: 0.1,
            prepare_deadline_ms: None,
            start_deadline_ms: None,
            shutdown_grace_ms: Some(10_000),
        }
    }
}

impl Policy {
    /// The shortest and the longest delay before retry number `k`. They are
    /// apart by the jitter alone, but for this room: the power may be had in one
    /// step or in many, which with most fractions ends in other last bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub(crate) fn delay(&self, k: u32) -> (u64, u64) {
        let factor = self.retry_factor;
        let powers = [
            factor.powf(f64::from(k)),
            factor.powi(k.cast_signed()),
            (0..k).fold(1.0, |power, _| power * factor),
        ];
        let delays = powers.map(|power| match self.retry_initial_ms {
            // Not a number otherwise, once the power is infinite.
            0 => 0.0,
            initial => (initial as f64 * power).min(self.retry_max_ms as f64),
        });
        let (shortest, longest) = (1.0 - self.retry_jitter, 1.0 + self.retry_jitter);
        let shortest = delays.map(|delay| ((delay * shortest) as u64).max(1));
        let longest = delays.map(|delay| ((delay * longest) as u64).max(1));
        (shortest.into_iter().fold(u64::MAX, u64::min), longest.into_iter().fold(0, u64::max))
    }
}

#[derive(Clone, Deserialize)]
pub(crate) struct Call {
    #[serde(default = "at_once")]
    pub(crate) takes_ms: Option<u64>,
    #[serde(default)]
    pub(crate) error: Option<Error>,
}

#[expect(clippy::unnecessary_wraps, reason = "it is what serde asks for")]
fn at_once() -> Option<u64> {
    Some(0)
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) temporary: bool,
    #[serde(default)]
    pub(crate) exit_code: Option<i32>,
    #[serde(default)]
    pub(crate) container_status: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    pub(crate) update: Option<Update>,
    #[serde(default)]
    pub(crate) remove: bool,
    #[serde(default)]
    pub(crate) close: bool,
}

#[derive(Deserialize)]
pub(crate) struct Update {
    pub(crate) id: Option<String>,
    pub(crate) desired_state: Option<String>,
    pub(crate) version: Option<u64>,
}

impl Scenario {
    /// What the call number `n` of an operation does; the last entry repeats.
    pub(crate) fn call(&self, operation: &str, n: usize) -> Call {
        let script = self.controller.get(operation).map_or(&[][..], Vec::as_slice);
        script.get(n).or(script.last()).cloned().unwrap_or_else(|| Call {
            takes_ms: if operation == "wait" { None } else { Some(0) },
            error: None,
        })
    }
}

/// What an answer of the controller comes to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Answer {
    Success,
    /// Temporary: its text is the task's `Err`.
    Delayed,
    /// From outside: it is tried again like the other, and says nothing.
    Interrupted,
    Fatal,
}

/// `docs/swarmkit.md` D9 and D10.
pub(crate) fn answer(operation: &str, error: Option<&Error>) -> Answer {
    let Some(error) = error else { return Answer::Success };
    match (operation, &*error.kind) {
        ("prepare", "already_prepared") | ("start", "already_started") => Answer::Success,
        (_, "canceled" | "deadline_exceeded") => Answer::Interrupted,
        _ if error.temporary => Answer::Delayed,
        _ => Answer::Fatal,
    }
}
