//! What the driver does, as the trace shows it.

use super::super::cursor::Check;
use super::super::input::rank;
use super::super::status::Status;
use super::{Flight, Life, Model};
use serde_json::json;

impl Model<'_> {
    /// Changes the status, which is told if it is another one then. A change of
    /// the state ends its retries and its deadline.
    pub(super) fn tell(&mut self, rule: u8, change: impl FnOnce(&mut Status)) -> Check {
        let before = (self.status.state, self.status.print());
        change(&mut self.status);
        self.state_has_changed_from(before.0);
        let after = self.status.print();
        if after == before.1 {
            return Ok(());
        }
        self.trace.expect(rule, &json!({ "at_ms": self.now, "event": "status", "status": after }))
    }

    pub(super) fn state_has_changed_from(&mut self, before: usize) {
        if self.status.state != before {
            self.retries.clear();
            (self.retry, self.alarm) = (None, None);
        }
    }

    /// An operation begins; if it takes no time, it ends too. Always true.
    pub(super) fn call(&mut self, rule: u8, operation: &'static str) -> Check<bool> {
        self.trace
            .expect(rule, &json!({ "at_ms": self.now, "event": "call", "operation": operation }))?;
        let calls = self.calls.entry(operation).or_default();
        let script = self.scenario.call(operation, *calls);
        *calls += 1;
        let ends = script.takes_ms.map(|ms| self.now.saturating_add(ms));
        self.flight = Some(Flight { operation, ends, error: script.error });
        if ends == Some(self.now) {
            self.returned()?;
        }
        Ok(true)
    }

    /// What is in flight is dropped.
    pub(super) fn cancel(&mut self, rule: u8) -> Check {
        match self.flight.take() {
            Some(Flight { operation, .. }) => self.trace.expect(
                rule,
                &json!({ "at_ms": self.now, "event": "cancel", "operation": operation }),
            ),
            None => Ok(()),
        }
    }

    /// The rule that an entry breaks which comes where nothing may come.
    pub(super) fn quiet(&self) -> u8 {
        match (self.life, self.status.state >= rank("complete")) {
            (Life::Closing | Life::Ended, _) => 9,
            (_, true) => 2,
            _ => 7,
        }
    }
}
