//! The trace: one entry for each thing that happens.

use onward::testing::VirtualTime;
use serde_json::{Map, Value, json};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Clones write the same trace.
#[derive(Clone)]
pub(crate) struct Trace {
    time: VirtualTime,
    entries: Arc<Mutex<Vec<Value>>>,
}

impl Trace {
    pub(crate) fn new(time: VirtualTime) -> Self {
        Self { time, entries: Arc::default() }
    }

    /// Adds an entry with these fields, which are an object. A field that is null
    /// is left out, except `ok`.
    pub(crate) fn put(&self, event: &str, fields: Value) {
        let mut entry = Map::new();
        entry.insert("at_ms".to_owned(), json!(self.now()));
        entry.insert("event".to_owned(), json!(event));
        if let Value::Object(fields) = fields {
            entry.extend(
                fields.into_iter().filter(|(name, value)| name == "ok" || !value.is_null()),
            );
        }
        self.lock().push(Value::Object(entry));
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.time.now().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn take(&self) -> Vec<Value> {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
