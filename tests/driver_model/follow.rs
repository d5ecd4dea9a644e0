//! How the model follows a trace: each event is held against what must happen
//! next, then changes that.

use super::event::{Answer, Bad, Event, Op, PANIC};
use super::model::{Because, Goal, Model, Next, Verdict, Window};
use onward::exec::ErrorKind;
use onward::lifecycle::TaskState;
use std::time::Duration;

pub(crate) fn follow(model: &mut Model, now: Duration, event: &Event) -> Verdict {
    match event {
        Event::Poll => (model.polled, model.told) = (true, false),
        Event::Pending { sleeps, woken } => return pending(model, sleeps, *woken),
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
            // Dropped by the driver, and not with it.
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
        Event::Fired(moment) => {
            model.passed = Some(*moment);
            model.late = model.flight.is_some();
        }
        Event::Update { id, desired, version, answer } => {
            model.told = true;
            let must = model.update(id, *desired, *version);
            equal("answer of update", answer, &must)?;
        }
        Event::Remove => {
            model.told = true;
            if model.goal == Goal::Live {
                (model.goal, model.retry) = (Goal::Remove, None);
            }
        }
        Event::Close => {
            model.told = true;
            model.goal = model.goal.max(Goal::Close);
        }
    }
    Ok(())
}

/// Holds what happens against what must. A move that calls nothing shows only
/// in its report, so it is made here.
fn expect(model: &mut Model, now: Duration, happens: &Next) -> Verdict {
    match model.next() {
        Next::Move(to, message) => {
            model.record.moved(now, to, message);
            stepped(model, Some(super::record::Known::default()));
        }
        Next::Reject => {
            // 10: its Err names the phase and the deadline.
            let deadline = model.policy.prepare_deadline.unwrap_or_default();
            let err = format!("prepare: deadline of {deadline:?} exceeded");
            let known = model.record.failed(now, err, &Bad::panic());
            stepped(model, Some(known));
        }
        _ => {}
    }
    equal("what happens", happens, &model.next())
}

/// The state has changed: everything is counted anew (7), and the container is
/// asked for (D13), unless an end is called for.
fn stepped(model: &mut Model, known: Option<super::record::Known>) {
    model.retries = [0; 9];
    (model.retry, model.update_retry, model.deadline) = (None, None, None);
    inspect_next(model, known);
}

fn inspect_next(model: &mut Model, known: Option<super::record::Known>) {
    let state = model.record.status.state;
    let pressing = model.urgent || (model.because.is_some() && !state.is_terminal());
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
    model.begin(op, now);
    Ok(())
}

fn dropped(model: &mut Model, op: Op) {
    (model.flight, model.late) = (None, false);
    match op {
        // Given up on, it is not asked again until the next step.
        Op::Inspect if !model.stopping || model.urgent => model.inspection = None,
        // It took nothing: it is to be called again (5).
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
        Answer::Panic => Some((Bad::panic(), format!("the controller panicked: {PANIC}"))),
    };
    let again = bad.as_ref().is_some_and(|(bad, _)| bad.temporary || bad.is_interruption());
    let retry = again.then(|| delayed(model, now, op));
    if !again {
        model.retries[op as usize] = 0;
    }
    match op {
        Op::Update if again => (model.changed, model.update_retry) = (true, retry),
        Op::Update => {
            let offered = model.offered.take().unwrap_or_default();
            model.refused = bad.map(|(_, text)| (offered, text));
        }
        Op::Remove => {
            model.retry = retry.map(|at| (op, at));
            if !again {
                model.goal = model.goal.max(Goal::Close);
                model.end = bad.map_or("removed".into(), |(_, text)| format!("left: {text}"));
            }
        }
        Op::Close | Op::Inspect => {}
        _ => operated(model, now, op, bad, retry),
    }
    Ok(())
}

fn operated(
    model: &mut Model,
    now: Duration,
    op: Op,
    bad: Option<(Bad, String)>,
    retry: Option<Window>,
) {
    let late = format!(
        "start: deadline of {:?} exceeded",
        model.policy.start_deadline.unwrap_or_default()
    );
    let too_late = op == Op::Terminate && model.because == Some(Because::StartDeadline);
    let Some((bad, text)) = bad else {
        let (to, message) = match op {
            Op::Prepare => (TaskState::Ready, "prepared"),
            Op::Start => (TaskState::Running, "started"),
            Op::Wait => (TaskState::Complete, "finished"),
            Op::Shutdown => (TaskState::Shutdown, "shutdown"),
            _ => (TaskState::Shutdown, "terminated"),
        };
        let known = if too_late {
            // 10: the workload is gone, and the task has failed.
            model.record.failed(now, late, &Bad::panic())
        } else {
            model.record.moved(now, to, message);
            super::record::Known::default()
        };
        return stepped(model, Some(known));
    };
    if retry.is_some() {
        let known = model.record.noted(now, bad.text(), &bad);
        model.retry = retry.map(|at| (op, at));
        inspect_next(model, Some(known));
    } else if op == Op::Shutdown {
        // 4: noted, and the workload is ended by force.
        (model.because, model.deadline) = (Some(Because::Shutdown), None);
        let text: &'static str = if text.contains(PANIC) { PANICKED } else { bad.text() };
        model.record.noted(now, text, &bad);
    } else {
        let text = if too_late { format!("{late}; terminate: {text}") } else { text };
        let known = model.record.failed(now, text, &bad);
        stepped(model, Some(known));
    }
}

const PANICKED: &str = "the controller panicked: out of cheese";

/// 7: when the k-th retry in a row comes.
fn delayed(model: &mut Model, now: Duration, op: Op) -> Window {
    let policy = &model.policy;
    let ms = |duration: Duration| f64::from(u32::try_from(duration.as_millis()).unwrap());
    let row = &mut model.retries[op as usize];
    let factor = policy.retry_factor.powi(i32::try_from(*row).unwrap());
    *row += 1;
    let delay = (ms(policy.retry_initial) * factor).min(ms(policy.retry_max));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = |chance: f64| now + Duration::from_millis(((delay * chance) as u64).max(1));
    Window { from: at(1.0 - policy.retry_jitter), to: at(1.0 + policy.retry_jitter) }
}

/// The driver waits: it must have nothing to do, its timer set for what comes
/// next and for nothing else, and not have woken itself.
fn pending(model: &mut Model, sleeps: &[Duration], woken: bool) -> Verdict {
    model.polled = false;
    if let [at] = sleeps {
        model.learn_late(*at);
    }
    let next = model.next();
    let Next::Rest(until) = next else {
        // What was said in the middle of a poll may take another one.
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
