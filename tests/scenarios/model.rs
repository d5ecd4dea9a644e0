//! What must happen, step by step, held against a trace.
//!
//! This is a small sequential model of the twelve rules, written from their
//! text. It reads the scenario and says, one entry after another, what the trace
//! shows next. It looks ahead in the trace only where the text leaves room, and
//! each such place says so in a comment that begins with «Room:».

#[path = "effect.rs"]
mod effect;
#[path = "outcome.rs"]
mod outcome;
#[path = "script.rs"]
mod script;

use super::cursor::{Check, Cursor};
use super::input::{Error, Scenario, rank};
use super::status::Status;
use serde_json::Value;
use std::collections::HashMap;

/// Says what is wrong with a trace, if anything is.
pub(crate) fn check(scenario: &Scenario, trace: &[Value], last: &Value) -> Check {
    let mut model = Model::new(scenario, trace);
    model.live()?;
    model.trace.expect_end(model.quiet(), scenario.until_ms)?;
    if model.status.print() != *last {
        let what = format!("final_status is {last}: expected {}", model.status.print());
        return super::cursor::violation(8, what);
    }
    Ok(())
}

struct Model<'a> {
    scenario: &'a Scenario,
    trace: Cursor<'a>,
    now: u64,
    life: Life,
    status: Status,
    desired: usize,
    /// The version of the definition that the task has, and the one that its
    /// controller took last.
    version: u64,
    taken: u64,
    /// The one that it was told of last.
    told: u64,
    /// The controller is to be told of the definition.
    changed: bool,
    flight: Option<Flight>,
    /// When what failed is tried again, and when an update is.
    retry: Option<u64>,
    update_retry: Option<u64>,
    /// The shortest delay of the retry, where the jitter leaves more than one, ends
    /// here.
    earliest: u64,
    alarm: Option<(u64, Alarm)>,
    /// The entry of the script that comes next.
    next: usize,
    calls: HashMap<&'static str, usize>,
    retries: HashMap<&'static str, u32>,
}

/// What the driver is about.
#[derive(Clone, Copy, PartialEq)]
enum Life {
    Driving,
    /// Rule 4.
    Terminating,
    /// Rule 10: a start has taken too long.
    TerminatingStart,
    Removing,
    Closing,
    Ended,
}

/// Rules 4 and 10.
#[derive(Clone, Copy, PartialEq)]
enum Alarm {
    Prepare,
    Start,
    Grace,
}

struct Flight {
    operation: &'static str,
    ends: Option<u64>,
    error: Option<Error>,
}

/// What can happen while the driver waits; of equal times the first comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Return,
    Script,
    Alarm,
    Retry,
}

/// What a task does next that it does by itself.
enum Step {
    Rest,
    Move(&'static str, &'static str),
    Call(&'static str),
}

impl<'a> Model<'a> {
    fn new(scenario: &'a Scenario, trace: &'a [Value]) -> Self {
        Self {
            scenario,
            trace: Cursor::new(trace),
            now: 0,
            life: Life::Driving,
            status: Status::read(&scenario.task.status),
            desired: rank(&scenario.task.desired_state),
            version: 1,
            taken: 1,
            told: 1,
            changed: false,
            flight: None,
            retry: None,
            update_retry: None,
            earliest: 0,
            alarm: None,
            next: 0,
            calls: HashMap::new(),
            retries: HashMap::new(),
        }
    }

    fn live(&mut self) -> Check {
        // The `resolve`, with which a scenario begins, has changed a status that
        // nobody has reported yet.
        if self.status.state < rank("accepted") {
            self.tell(0, |status| status.moved("accepted", "accepted"))?;
        }
        self.run()?;
        while let Some((at, turn)) = self.next().filter(|next| next.0 <= self.scenario.until_ms) {
            self.now = at;
            match turn {
                Turn::Return => self.returned()?,
                Turn::Script => self.said()?,
                Turn::Alarm => self.alarmed()?,
                Turn::Retry => {
                    self.retry = self.retry.filter(|due| *due > at);
                    self.update_retry = self.update_retry.filter(|due| *due > at);
                }
            }
            self.run()?;
        }
        Ok(())
    }

    /// What the virtual clock jumps to.
    fn next(&self) -> Option<(u64, Turn)> {
        let flight = self.flight.as_ref().and_then(|flight| flight.ends);
        let script = self.scenario.script.get(self.next).map(|entry| entry.at_ms);
        let turns = [
            (flight, Turn::Return),
            (script, Turn::Script),
            (self.alarm.map(|alarm| alarm.0), Turn::Alarm),
            (self.retry, Turn::Retry),
            (self.update_retry, Turn::Retry),
        ];
        let turns = turns.into_iter().filter_map(|(at, turn)| Some((at?, turn))).min();
        turns.filter(|_| self.life != Life::Ended)
    }

    /// The driver runs until it waits.
    fn run(&mut self) -> Check {
        while self.flight.is_none() && self.turn()? {}
        Ok(())
    }

    /// Does what is to be done now; false if there is nothing.
    fn turn(&mut self) -> Check<bool> {
        match self.life {
            Life::Ended => return Ok(false),
            Life::Closing => return self.call(9, "close"),
            Life::Removing => {}
            _ if self.status.state >= rank("complete") => return Ok(false),
            Life::Driving if self.desired < rank("shutdown") => return self.onward(),
            Life::Driving | Life::Terminating | Life::TerminatingStart => {}
        }
        if self.retry.is_some() {
            return Ok(false);
        }
        match self.life {
            Life::Removing => self.call(9, "remove"),
            Life::Terminating => self.call(4, "terminate"),
            Life::TerminatingStart => self.call(10, "terminate"),
            _ => {
                // The grace runs from the first call on.
                let grace = self.scenario.policy.shutdown_grace_ms;
                self.alarm =
                    self.alarm.or(grace.map(|ms| (self.now.saturating_add(ms), Alarm::Grace)));
                self.call(3, "shutdown")
            }
        }
    }

    /// Rule 5, then the next step towards a desired state below `shutdown`.
    fn onward(&mut self) -> Check<bool> {
        let step = self.step();
        if self.changed {
            // Room: «before the next operation» says nothing of moves that call
            // nothing (READY to STARTING), so they may come before an update
            // that is due, and while one waits to be tried again.
            if let Step::Move(state, message) = step
                && self.trace.peek()["status"]["State"] == state
            {
                self.tell(5, |status| status.moved(state, message))?;
                return Ok(true);
            }
            if self.update_retry.is_some() {
                return Ok(false);
            }
            self.changed = false;
            if self.must_be_told() {
                self.told = self.version;
                return self.call(5, "update");
            }
        }
        if self.retry.is_some() {
            return Ok(false);
        }
        match step {
            Step::Rest => Ok(false),
            Step::Move(state, message) => {
                self.tell(2, |status| status.moved(state, message))?;
                Ok(true)
            }
            Step::Call(operation) => {
                let deadline = match operation {
                    "prepare" => self.scenario.policy.prepare_deadline_ms.zip(Some(Alarm::Prepare)),
                    "start" => self.scenario.policy.start_deadline_ms.zip(Some(Alarm::Start)),
                    _ => None,
                };
                let deadline = deadline.map(|(ms, alarm)| (self.now.saturating_add(ms), alarm));
                self.alarm = self.alarm.or(deadline);
                self.call(7, operation)
            }
        }
    }

    /// Whether a changed definition is one that the controller does not have.
    fn must_be_told(&self) -> bool {
        // Room: of changes that end where they began «the definition changed»
        // may be said or not.
        self.version != self.taken || self.trace.calls("update", self.now)
    }

    /// `docs/swarmkit.md` D5 to D7.
    fn step(&self) -> Step {
        let (state, desired) = (self.status.state, self.desired);
        match super::input::STATES[state] {
            "accepted" if state < desired => Step::Move("preparing", "preparing"),
            "ready" if state < desired => Step::Move("starting", "starting"),
            "preparing" if state <= desired => Step::Call("prepare"),
            "starting" if state <= desired => Step::Call("start"),
            "running" if state <= desired => Step::Call("wait"),
            _ => Step::Rest,
        }
    }
}
