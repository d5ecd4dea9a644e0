//! A trace, read from its beginning, and what is wrong with it.

use serde_json::{Value, json};
use std::fmt;

/// What a trace should not show.
#[derive(Debug)]
pub(crate) struct Violation {
    /// The rule of the format's page that it breaks; 0: the format itself.
    pub(crate) rule: u8,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            0 => write!(f, "the format: {}", self.what),
            rule => write!(f, "rule {rule}: {}", self.what),
        }
    }
}

pub(crate) type Check<T = ()> = Result<T, Violation>;

/// Breaks a rule.
pub(crate) fn violation<T>(rule: u8, what: impl Into<String>) -> Check<T> {
    Err(Violation { rule, what: what.into() })
}

/// The entries of a trace, and the first one that was not looked at yet.
pub(crate) struct Cursor<'a> {
    entries: &'a [Value],
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(entries: &'a [Value]) -> Self {
        Self { entries, next: 0 }
    }

    /// The next entry, which stays the next one.
    pub(crate) fn peek(&self) -> &'a Value {
        self.entries.get(self.next).unwrap_or(&Value::Null)
    }

    /// Whether the next entry is a call of this operation, now.
    pub(crate) fn calls(&self, operation: &str, now: u64) -> bool {
        *self.peek() == json!({ "at_ms": now, "event": "call", "operation": operation })
    }

    /// When this operation is called next, if it is.
    pub(crate) fn next_call(&self, operation: &str) -> Option<u64> {
        let mut rest = self.entries.iter().skip(self.next);
        let call = rest.find(|entry| entry["event"] == "call" && entry["operation"] == operation);
        call.and_then(|entry| entry["at_ms"].as_u64())
    }

    /// The next entry is just this one.
    pub(crate) fn expect(&mut self, rule: u8, entry: &Value) -> Check {
        if self.peek() != entry {
            return self.other(rule, &entry.to_string());
        }
        self.next += 1;
        Ok(())
    }

    /// The next entry is such a one, in which `field` is a text that `holds`.
    /// Gives the text.
    pub(crate) fn expect_text(
        &mut self,
        rule: u8,
        entry: &Value,
        field: &str,
        holds: impl Fn(&str) -> bool,
    ) -> Check<&'a str> {
        let found = self.peek();
        let text = found.pointer(field).and_then(Value::as_str).filter(|text| holds(text));
        let mut like = found.clone();
        if let Some(field) = like.pointer_mut(field) {
            *field = json!("…");
        }
        match text {
            Some(text) if like == *entry => {
                self.next += 1;
                Ok(text)
            }
            _ => self.other(rule, &entry.to_string()),
        }
    }

    /// There is nothing more.
    pub(crate) fn expect_end(&self, rule: u8, until: u64) -> Check {
        if self.next < self.entries.len() {
            return self.other(rule, &format!("nothing more until {until}"));
        }
        Ok(())
    }

    fn other<T>(&self, rule: u8, expected: &str) -> Check<T> {
        let found = match self.entries.get(self.next) {
            Some(entry) => entry.to_string(),
            None => "the end".to_owned(),
        };
        violation(rule, format!("entry {}: expected {expected}, found {found}", self.next))
    }
}
