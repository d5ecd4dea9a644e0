//! The model follows a trace: it compares each event with the expected one, and then changes its
//! state.

use super::change::exceeded;
use super::event::{Answer, Bad, Event, Op, PANIC};
use super::model::{Because, Goal, Has, Model, Next, Verdict, Window};
use onward::exec::ErrorKind;
use onward::lifecycle::TaskState;
use std::time::Duration;

pub(crate) fn follow(model: &mut Model, now: Duration, event: &Event) -> Verdict {
    let verdict = happened(model, now, event);
    // Only the driver calls `remove`, in a poll.
    if model.polled {
        model.remove_if_ended();
    }
    verdict
}

fn happened(model: &mut Model, now: Duration, event: &Event) -> Verdict {
    match event {
        Event::Poll => (model.polled, model.told) = (true, false),
        Event::Pending { sleeps, woken } => {
            silent(model, now);
            return pending(model, sleeps, *woken);
        }
        Event::Ended(how) => {
            expect(model, now, &Next::End)?;
            equal("the end", how, &model.end)?;
            (model.polled, model.ended) = (false, true);
        }
        Event::Stopped => {
            if let Some((op, _)) = model.flight {
                return Err(format!("a dropped run did not drop {op:?}"));
            }
            (model.stopping, model.polled) = (false, false);
        }
        Event::Gone => model.ended = true,
        Event::Call(op, version) => return call(model, now, *op, *version),
        Event::Return(op, answer) => return returned(model, now, *op, answer),
        Event::Inspected(told) => {
            model.flight = None;
            let known = model.inspection.take().unwrap_or_default();
            model.record.inspected(now, told, known);
        }
        Event::Panicked => (model.flight, model.inspection) = (None, None),
        Event::Dropped(op) => {
            expect(model, now, &Next::Drop(*op))?;
            // The driver dropped it, and not the test.
            if *op != Op::Inspect && !model.stopping {
                model.over(now);
            }
            dropped(model, *op);
        }
        Event::Status(status) => {
            expect(model, now, &Next::Report)?;
            equal("status", status, &model.record.status)?;
            if model.record.reported.is_some_and(|before| before > status.state) {
                return Err(format!("the state fell to {}", status.state));
            }
            model.record.reported = Some(status.state);
            model.record.unreported = false;
            model.record.reports += 1;
        }
        Event::Fired(moment) => fired(model, *moment),
        Event::Update { id, desired, version, answer } => {
            model.told();
            let must = model.update(id, *desired, *version);
            equal("answer of update", answer, &must)?;
        }
        Event::Remove => {
            model.told();
            model.remove();
        }
        Event::Close => {
            model.told();
            model.goal = model.goal.max(Goal::Close);
        }
    }
    Ok(())
}

/// Compares an event with the expected one. A move without a call shows only in its report, so it
/// is made here.
fn expect(model: &mut Model, now: Duration, happens: &Next) -> Verdict {
    silent(model, now);
    match model.next() {
        Next::Move(to, message) => {
            model.record.moved(now, to, message);
            stepped(model, Some(super::record::Known::default()));
        }
        Next::Reject => {
            let err = model.exceeded();
            let known = model.record.failed(now, err, &Bad::plain());
            stepped(model, Some(known));
        }
        _ => {}
    }
    equal("what happens", happens, &model.next())
}

/// A decision of the driver without a call. A report may follow.
fn silent(model: &mut Model, now: Duration) {
    loop {
        match model.next() {
            Next::GiveUp => {
                model.end = format!("left: {}", model.exceeded());
                (model.deadline, model.last_error) = (None, None);
                model.goal = model.goal.max(Goal::Close);
            }
            Next::Unresolved => {
                let err = model.exceeded();
                (model.has, model.deadline, model.last_error) = (Has::Refusal, None, None);
                unresolved(model, now, err);
            }
            Next::RefuseUpdate => {
                let error = model.last_error.take();
                let reason = exceeded("update", model.policy.update_deadline, error);
                let version = model.version;
                (model.changed, model.offered) = (false, None);
                refused(model, version, reason);
            }
            _ => return,
        }
    }
}

/// The controller refuses a definition (5).
pub(crate) fn refused(model: &mut Model, offered: u64, reason: String) {
    (model.update_deadline, model.update_retry, model.last_error) = (None, None, None);
    if offered == model.version {
        model.refused = Some(reason);
    }
}

fn unresolved(model: &mut Model, now: Duration, err: String) {
    let before = model.record.status.state;
    let known = model.record.unresolved(now, err);
    if model.record.status.state == before {
        inspect_next(model, Some(known));
    } else {
        stepped(model, Some(known));
    }
}

/// A sleep of the driver has ended.
fn fired(model: &mut Model, moment: Duration) {
    if let Some((Op::Terminate, until)) = &mut model.flight {
        // It continues. Its age is logged, and again at twice that age.
        *until = Some(model.terminate_began + 2 * (moment.saturating_sub(model.terminate_began)));
        return;
    }
    model.passed = model.passed.max(Some(moment));
    model.late = model.flight.is_some();
}

/// The state has changed: all counts begin again (7), and the container is inspected (D13), unless
/// the task must be ended.
fn stepped(model: &mut Model, known: Option<super::record::Known>) {
    model.retries = [0; 10];
    (model.retry, model.update_retry, model.deadline) = (None, None, None);
    model.last_error = None;
    model.urgent &= !model.record.status.state.is_terminal();
    inspect_next(model, known);
}

fn inspect_next(model: &mut Model, known: Option<super::record::Known>) {
    let state = model.record.status.state;
    let pressing = !state.is_terminal() && (model.urgent || model.because.is_some());
    model.inspection = known.filter(|_| state >= TaskState::Starting && !pressing);
}

fn call(model: &mut Model, now: Duration, op: Op, version: u64) -> Verdict {
    if !model.polled || model.flight.is_some() {
        return Err(format!("{op:?} called while {:?} is in flight", model.flight));
    }
    expect(model, now, &Next::Call(op))?;
    if op == Op::Update {
        equal("offered definition", &version, &model.version)?;
    }
    if op == Op::Controller {
        let first = model.asked.filter(|_| model.may_run);
        equal("definition asked for", &version, &first.unwrap_or(model.version))?;
        (model.offered, model.asked) = (Some(version), Some(version));
    }
    model.begin(op, now);
    Ok(())
}

fn dropped(model: &mut Model, op: Op) {
    (model.flight, model.late) = (None, false);
    match op {
        // An inspection that was dropped is not repeated before the next step.
        Op::Inspect if !model.stopping || model.urgent => model.inspection = None,
        // The controller has accepted nothing, so `update` is repeated (5).
        Op::Update => (model.changed, model.offered) = (true, None),
        _ => {}
    }
}

fn returned(model: &mut Model, now: Duration, op: Op, answer: &Answer) -> Verdict {
    let Some((_, _)) = model.flight.take_if(|(flying, _)| *flying == op) else {
        return Err(format!("{op:?} returned, and was not in flight"));
    };
    model.over(now);
    let bad = match answer {
        Answer::Good => None,
        Answer::Bad(bad) if op == Op::Prepare && bad.kind == ErrorKind::AlreadyPrepared => None,
        Answer::Bad(bad) if op == Op::Start && bad.kind == ErrorKind::AlreadyStarted => None,
        Answer::Bad(bad) => Some((bad.clone(), bad.text().to_owned())),
        Answer::Panic => {
            let whose = if op == Op::Controller { "executor" } else { "controller" };
            Some((Bad::plain(), format!("the {whose} panicked: {PANIC}")))
        }
    };
    let is_panic = *answer == Answer::Panic;
    let again = bad.as_ref().is_some_and(|(bad, _)| bad.temporary || bad.is_interruption())
        // A panic of the executor does not end a removal.
        || (is_panic && op == Op::Controller && model.goal == Goal::Remove);
    let retry = again.then(|| delayed(model, now, op));
    if !again {
        model.retries[op as usize] = 0;
    }
    match op {
        Op::Controller => resolved(model, now, bad.map(|(_, text)| text), retry, is_panic),
        Op::Update if again => {
            (model.changed, model.update_retry, model.offered) = (true, retry, None);
            model.last_error = bad.map(|(_, text)| text);
        }
        Op::Update => {
            let offered = model.offered.take().unwrap_or_default();
            if let Some((_, text)) = bad {
                refused(model, offered, text);
            } else {
                model.applied = Some(offered);
                (model.refused, model.update_deadline, model.last_error) = (None, None, None);
            }
        }
        Op::Remove => {
            model.retry = retry.map(|at| (op, at));
            model.last_error = bad.as_ref().filter(|_| again).map(|(_, text)| text.clone());
            if !again {
                model.goal = model.goal.max(Goal::Close);
                model.end = bad.map_or("removed".into(), |(_, text)| format!("left: {text}"));
            }
        }
        Op::Close | Op::Inspect => {}
        _ => operated(model, now, op, bad, retry, is_panic),
    }
    Ok(())
}

/// The executor has answered (15).
fn resolved(
    model: &mut Model,
    now: Duration,
    error: Option<String>,
    retry: Option<Window>,
    is_panic: bool,
) {
    let asked = model.offered.take().unwrap_or_default();
    let removing = model.goal == Goal::Remove;
    let Some(error) = error else {
        (model.has, model.applied, model.last_error) = (Has::Controller, Some(asked), None);
        model.changed = asked != model.version;
        if model.goal == Goal::Live {
            model.deadline = None;
        }
        if model.record.status.state < TaskState::Accepted {
            model.record.moved(now, TaskState::Accepted, "accepted");
            stepped(model, Some(super::record::Known::default()));
        }
        return;
    };
    model.retry = retry.map(|at| (Op::Controller, at));
    if retry.is_none() && !is_panic {
        model.asked = None;
    }
    if retry.is_some() {
        model.last_error = Some(error.clone());
        if !removing && !model.record.status.state.is_terminal() {
            let known = model.record.noted(now, &error, &Bad::plain());
            inspect_next(model, Some(known));
        }
    } else if asked != model.version && !is_panic {
        // The executor is asked for the new definition.
        model.last_error = Some(error);
    } else {
        (model.has, model.last_error, model.deadline) = (Has::Refusal, None, None);
        if removing {
            // There is nothing to remove.
            (model.goal, model.end) = (Goal::Close, "removed".into());
        } else {
            unresolved(model, now, error);
        }
    }
}

fn operated(
    model: &mut Model,
    now: Duration,
    op: Op,
    bad: Option<(Bad, String)>,
    retry: Option<Window>,
    is_panic: bool,
) {
    let failure = match &model.because {
        Some(Because::Failure(text, bad)) if op == Op::Terminate => {
            Some((text.clone(), bad.clone()))
        }
        _ => None,
    };
    let Some((bad, text)) = bad else {
        let (to, message) = match op {
            Op::Prepare => (TaskState::Ready, "prepared"),
            Op::Start => (TaskState::Running, "started"),
            Op::Wait => (TaskState::Complete, "finished"),
            Op::Shutdown => (TaskState::Shutdown, "shutdown"),
            _ => (TaskState::Shutdown, "terminated"),
        };
        let known = if let Some((text, bad)) = failure {
            // 10, 12: the workload is gone, and the task has failed.
            model.record.failed(now, text, &bad)
        } else {
            model.record.moved(now, to, message);
            super::record::Known::default()
        };
        return stepped(model, Some(known));
    };
    if retry.is_some() {
        let known = model.record.noted(now, &text, &bad);
        model.retry = retry.map(|at| (op, at));
        inspect_next(model, Some(known));
    } else if op == Op::Shutdown {
        // 4: the error is noted, and `terminate` is called.
        (model.because, model.deadline) = (Some(Because::Shutdown), None);
        model.record.noted(now, &text, &bad);
    } else if op != Op::Terminate && (is_panic || (model.may_run && op == Op::Prepare)) {
        // 12, 14: the workload may run, so `terminate` is called first.
        model.record.noted(now, &text, &bad);
        (model.because, model.deadline) = (Some(Because::Failure(text, bad)), None);
    } else {
        let (text, bad) = match failure {
            Some((first, known)) => (format!("{first}; terminate: {text}"), bad.or(&known)),
            None => (text, bad),
        };
        let known = model.record.failed(now, text, &bad);
        stepped(model, Some(known));
    }
}

/// 7: the time of the k-th successive retry.
fn delayed(model: &mut Model, now: Duration, op: Op) -> Window {
    let backoff = &model.policy.backoff;
    let ms = |duration: Duration| f64::from(u32::try_from(duration.as_millis()).unwrap());
    let row = &mut model.retries[op as usize];
    let factor = backoff.factor().powi(i32::try_from(*row).unwrap());
    *row += 1;
    let delay = (ms(backoff.initial()) * factor).min(ms(backoff.max()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = |chance: f64| now + Duration::from_millis(((delay * chance) as u64).max(1));
    Window { from: at(1.0 - backoff.jitter()), to: at(1.0 + backoff.jitter()) }
}

/// The driver waits: no call may be due, its timer must be set for the next event only, and it must
/// not have woken itself.
fn pending(model: &mut Model, sleeps: &[Duration], woken: bool) -> Verdict {
    model.polled = false;
    if let [at] = sleeps {
        model.learn_late(*at);
    }
    let next = model.next();
    let Next::Rest(until) = next else {
        // A request in the middle of a poll may need another poll.
        let excused = model.told && woken;
        return if excused { Ok(()) } else { Err(format!("the driver waits: {next:?}")) };
    };
    match (until, sleeps) {
        (None, []) => Ok(()),
        (Some(window), [at]) if window.contains(*at) => {
            model.learn(*at);
            Ok(())
        }
        _ if model.told && woken => Ok(()),
        _ => Err(format!("the timer is set for {sleeps:?}: expected {until:?}")),
    }
}

pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, must: &T) -> Verdict {
    if is == must { Ok(()) } else { Err(format!("{what} is {is:?}: expected {must:?}")) }
}
