//! What follows when the agent says something.

use super::super::cursor::Check;
use super::super::input::{Update, rank};
use super::{Life, Model};
use serde_json::json;

impl Model<'_> {
    /// The next entry of the script.
    pub(super) fn said(&mut self) -> Check {
        let entry = &self.scenario.script[self.next];
        self.next += 1;
        match self.life {
            Life::Closing | Life::Ended => Ok(()),
            Life::Removing if !entry.close => Ok(()),
            _ if entry.close => self.leave(Life::Closing),
            _ if entry.remove => self.leave(Life::Removing),
            _ => entry.update.as_ref().map_or(Ok(()), |update| self.update(update)),
        }
    }

    /// Rule 9: what is in flight is dropped, whatever it is.
    fn leave(&mut self, life: Life) -> Check {
        self.life = life;
        (self.alarm, self.retry) = (None, None);
        (self.changed, self.update_retry) = (false, None);
        self.cancel(9)
    }

    fn update(&mut self, update: &Update) -> Check {
        let desired = update.desired_state.as_deref().map_or(self.desired, rank);
        let version = update.version.unwrap_or(self.version);
        let other = update.id.as_ref().is_some_and(|id| *id != self.scenario.task.id);
        if other || desired < self.desired {
            // Room: the words of the reason.
            let entry = json!({ "at_ms": self.now, "event": "refused", "reason": "…" });
            return self
                .trace
                .expect_text(11, &entry, "/reason", |text| !text.is_empty())
                .map(|_| ());
        }
        let redefined = version != self.version;
        let redesired = desired != self.desired;
        let before = self.desired;
        (self.version, self.desired) = (version, desired);
        if !(redefined || redesired) {
            return Ok(());
        }
        match self.life {
            _ if self.status.state >= rank("complete") => Ok(()),
            Life::Driving if desired < rank("shutdown") => self.act_at_once(redefined),
            Life::Driving if before < rank("shutdown") => {
                (self.alarm, self.retry) = (None, None);
                (self.changed, self.update_retry) = (false, None);
                self.cancel(3)
            }
            // A shutdown, or a `terminate` on either way: only another desired
            // state acts on what waits to be tried again (rules 5 and 7).
            _ => {
                self.retry = self.retry.filter(|_| !redesired);
                Ok(())
            }
        }
    }

    /// Rule 7, and what a changed definition does by rule 5.
    fn act_at_once(&mut self, redefined: bool) -> Check {
        (self.retry, self.update_retry) = (None, None);
        self.changed |= redefined;
        let waits = self.flight.as_ref().is_some_and(|flight| flight.operation == "wait");
        if redefined && waits {
            // Room: as in `must_be_told`.
            if self.version == self.taken && self.trace.peek()["event"] != "cancel" {
                self.changed = false;
                return Ok(());
            }
            return self.cancel(5);
        }
        Ok(())
    }
}
