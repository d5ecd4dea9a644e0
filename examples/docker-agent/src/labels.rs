//! The agent's own labels on containers and networks.

use std::collections::HashMap;

/// The prefix of the agent's own labels.
pub const PREFIX: &str = "dev.onward.";

/// The id of the agent that a container or a network belongs to.
pub const AGENT: &str = "dev.onward.agent";

/// The id of the task that a container belongs to.
pub const TASK: &str = "dev.onward.task";

/// The filter of the engine's lists by a label and its value.
pub(crate) fn filter(label: &str, value: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{label}={value}")])])
}
