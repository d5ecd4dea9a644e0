//! What a task's status becomes, by `docs/swarmkit.md` D9 to D13.

use super::input::{Answer, Error, STATES, rank};
use serde_json::{Map, Value, json};

/// A task's status as far as a trace shows it.
#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) state: usize,
    message: String,
    err: String,
    container: Value,
    ports: Value,
}

impl Status {
    pub(crate) fn read(status: &Value) -> Self {
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        Self {
            state: rank(&text("State")),
            message: text("Message"),
            err: text("Err"),
            container: status["ContainerStatus"].clone(),
            ports: status["PortStatus"].clone(),
        }
    }

    /// A move takes away the text of earlier trouble (D2, D7).
    pub(crate) fn moved(&mut self, state: &str, message: &str) {
        (self.state, self.message, self.err) = (rank(state), message.to_owned(), String::new());
    }

    pub(crate) fn err_is(&mut self, err: &str) {
        err.clone_into(&mut self.err);
    }

    /// What is noted of an error that is to be tried again: its text if it is
    /// more than an interruption (D10), and the container's status that it carries
    /// once there may be a container (D13).
    pub(crate) fn noted(&mut self, error: &Error, answer: Answer) {
        if self.state >= rank("starting")
            && let Some(container) = &error.container_status
        {
            self.container = container.clone();
        }
        if answer != Answer::Interrupted {
            self.err.clone_from(&error.message);
        }
    }

    /// The end by a failure (D11). The message stays that of the last step.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.state = rank(if self.state < rank("starting") { "rejected" } else { "failed" });
        self.noted(error, Answer::Fatal);
        if let Some(code) = error.exit_code.filter(|code| *code != 0) {
            if !self.container.is_object() {
                self.container = json!({});
            }
            self.container["ExitCode"] = json!(code);
        }
    }

    /// As a trace shows it: without timestamp and empty fields.
    pub(crate) fn print(&self) -> Value {
        let fields = [
            ("State", json!(STATES[self.state])),
            ("Message", json!(self.message)),
            ("Err", json!(self.err)),
            ("ContainerStatus", self.container.clone()),
            ("PortStatus", self.ports.clone()),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        full(fields.into_iter().collect()).unwrap_or_default()
    }
}

/// The value without what is empty in it; none if it is empty itself.
fn full(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.into_iter().filter_map(|(name, value)| Some((name, full(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(values) if values.is_empty() => None,
        Value::Array(values) => Some(values.into_iter().filter_map(full).collect()),
        empty if empty.is_null() || empty == "" || empty == 0 => None,
        other => Some(other),
    }
}
