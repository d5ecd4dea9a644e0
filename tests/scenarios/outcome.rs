//! What follows when an operation returns, or takes too long.

use super::super::cursor::Check;
use super::super::input::{Answer, Error, answer};
use super::{Alarm, Flight, Life, Model, Step};
use serde_json::json;

impl Model<'_> {
    /// What is in flight ends by itself.
    pub(super) fn returned(&mut self) -> Check {
        let Some(Flight { operation, error, .. }) = self.flight.take() else { return Ok(()) };
        let message = error.as_ref().map(|error| &error.message);
        self.trace.expect(
            1,
            &json!({ "at_ms": self.now, "event": "return", "operation": operation, "error": message }),
        )?;
        let answer = answer(operation, error.as_ref());
        let again = matches!(answer, Answer::Delayed | Answer::Interrupted);
        if !again {
            self.retries.remove(operation);
        }
        match operation {
            "update" => {
                match answer {
                    Answer::Success => self.taken = self.told,
                    Answer::Fatal => {}
                    // «Retried with back-off before anything else is called.»
                    Answer::Delayed | Answer::Interrupted => {
                        self.changed = true;
                        self.update_retry = Some(self.delayed(operation));
                    }
                }
                // Room: with jitter, a retry that this has kept waiting may have been
                // due before.
                if let Step::Call(next) = self.step()
                    && self.earliest < self.now
                    && self.trace.calls(next, self.now)
                {
                    self.retry = None;
                }
                Ok(())
            }
            "remove" if again => {
                self.retry = Some(self.delayed(operation));
                Ok(())
            }
            "remove" => {
                self.life = Life::Closing;
                Ok(())
            }
            "close" => {
                self.life = Life::Ended;
                self.trace.expect(9, &json!({ "at_ms": self.now, "event": "ended" }))
            }
            _ => self.learned(operation, answer, error.as_ref()),
        }
    }

    /// What an operation that moves the task has come to.
    fn learned(&mut self, operation: &'static str, answer: Answer, error: Option<&Error>) -> Check {
        match (answer, error) {
            (Answer::Delayed | Answer::Interrupted, Some(error)) => {
                self.retry = Some(self.delayed(operation));
                self.tell(7, |status| status.noted(error, answer))
            }
            (Answer::Fatal, Some(error)) if operation == "shutdown" => self.shutdown_failed(error),
            (Answer::Fatal, Some(error)) if self.life == Life::TerminatingStart => {
                self.overdue("start", Some(error))
            }
            (Answer::Fatal, Some(error)) => {
                let rule = if operation == "terminate" { 4 } else { 2 };
                self.tell(rule, |status| status.failed(error))
            }
            _ => match operation {
                "prepare" => self.tell(2, |status| status.moved("ready", "prepared")),
                "start" => self.tell(2, |status| status.moved("running", "started")),
                "wait" => self.tell(2, |status| status.moved("complete", "finished")),
                "shutdown" => self.tell(4, |status| status.moved("shutdown", "shutdown")),
                _ if self.life == Life::TerminatingStart => self.overdue("start", None),
                _ => self.tell(4, |status| status.moved("shutdown", "terminated")),
            },
        }
    }

    /// Rule 4: it is followed by `terminate`, at once.
    fn shutdown_failed(&mut self, error: &Error) -> Check {
        self.last_resort(Life::Terminating);
        // Room: whether the error is noted before `terminate` is called. D10 says
        // that the text of every error is; rule 4 speaks of the last one only.
        if self.trace.peek()["event"] == "status" {
            return self.tell(4, |status| status.noted(error, Answer::Fatal));
        }
        Ok(())
    }

    /// A deadline or the grace has passed.
    pub(super) fn alarmed(&mut self) -> Check {
        match self.alarm.take() {
            Some((_, Alarm::Prepare)) => {
                self.cancel(10)?;
                self.overdue("prepare", None)
            }
            Some((_, Alarm::Start)) => {
                self.cancel(10)?;
                self.last_resort(Life::TerminatingStart);
                Ok(())
            }
            Some((_, Alarm::Grace)) => {
                self.cancel(4)?;
                self.last_resort(Life::Terminating);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn last_resort(&mut self, life: Life) {
        self.life = life;
        (self.alarm, self.retry) = (None, None);
        (self.changed, self.update_retry) = (false, None);
    }

    /// Rule 10: the task ends, and its `Err` names the phase and the deadline.
    fn overdue(&mut self, phase: &str, terminate: Option<&Error>) -> Check {
        let before = self.status.state;
        self.status.failed(&terminate.map_or_else(Error::default, |error| Error {
            message: String::new(),
            ..error.clone()
        }));
        self.state_has_changed_from(before);
        self.status.err_is("…");
        let entry = json!({ "at_ms": self.now, "event": "status", "status": self.status.print() });
        // Room: which words name them. And where `terminate` fails for good after
        // a start that took too long, rule 4 wants its error as `Err`, rule 10 the
        // phase and the deadline: either is right, and both in one text.
        let named = |err: &str| err.contains(phase) && err.contains("deadline");
        let holds = |err: &str| match terminate {
            None => named(err),
            Some(error) => *err == error.message || named(err) && err.contains(&error.message),
        };
        let err = self.trace.expect_text(10, &entry, "/status/Err", holds)?;
        self.status.err_is(err);
        Ok(())
    }

    /// When an operation that has just asked for another try gets it.
    fn delayed(&mut self, operation: &'static str) -> u64 {
        let retries = self.retries.entry(operation).or_default();
        let (shortest, longest) = self.scenario.policy.delay(*retries);
        *retries += 1;
        let (first, last) = (self.now.saturating_add(shortest), self.now.saturating_add(longest));
        if operation != "update" {
            self.earliest = first;
        }
        // Room: with jitter the trace says when; any time between the two is right.
        self.trace.next_call(operation).filter(|at| (first..=last).contains(at)).unwrap_or(last)
    }
}
