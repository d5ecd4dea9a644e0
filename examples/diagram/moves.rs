//! The table of moves: each event in each state, with the library's own refusals.

use super::typed;
use onward::lifecycle::{AnyTask, EDGES, Event, EventKind, Failure, TaskState, TaskStatus};
use serde::Serialize;
use time::UtcDateTime;

/// The effect of an event on a task in one state.
#[derive(Serialize)]
pub(crate) struct Move {
    /// The state afterwards, which can be the same; absent if the event is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    /// The actors that move the task, if it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Why the event is refused, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// The typed calls.
    calls: Vec<String>,
    /// A call that does not compile in this state: that of a refused event, or the other
    /// one of the two calls for a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_compiled: Option<NotCompiled>,
}

/// A typed call that does not compile.
#[derive(Serialize)]
struct NotCompiled {
    call: &'static str,
    /// The text to show, by its place in [`compile_errors`].
    error: usize,
    /// Whether the text is about this call in this state, not a similar one.
    is_exact: bool,
}

/// A text of the compiler that `tests/compile-fail` holds.
#[derive(Serialize)]
pub(crate) struct CompileError {
    file: String,
    state: &'static str,
    call: &'static str,
    text: &'static str,
}

/// The moves of each state, in the order of the events.
///
/// # Errors
///
/// The library has an event that is not among [`events`].
pub(crate) fn all() -> Result<Vec<Vec<Move>>, String> {
    let row = |from| EventKind::ALL.into_iter().map(|kind| one(from, kind)).collect();
    TaskState::ALL.into_iter().map(row).collect()
}

pub(crate) fn compile_errors() -> Vec<CompileError> {
    let held = typed::HELD.iter();
    let error = |held: &typed::Held| CompileError {
        file: format!("tests/compile-fail/{}.rs", held.name),
        state: held.state.proto_name(),
        call: held.method,
        text: held.text,
    };
    held.map(error).collect()
}

fn one(from: TaskState, kind: EventKind) -> Result<Move, String> {
    let event = events().into_iter().find(|event| event.kind() == kind);
    let event = event.ok_or_else(|| format!("no example of the event `{kind}`"))?;
    let task = AnyTask::resume(TaskStatus::new(from));
    let (to, refusal) = match task.apply(event, UtcDateTime::UNIX_EPOCH) {
        Ok(task) => (Some(task.state()), None),
        Err(refused) => (None, Some(refused.reason.to_string())),
    };
    let edge = EDGES.iter().find(|edge| edge.from == from && Some(edge.to) == to);
    Ok(Move {
        to: to.map(TaskState::proto_name),
        by: edge.map(|edge| any_of(edge.by)),
        refusal,
        calls: typed::calls(from, kind),
        not_compiled: typed::not_compiled(from, kind, to.is_some()).map(|(method, held)| {
            NotCompiled {
                call: method,
                error: held,
                is_exact: typed::HELD.get(held).is_some_and(|held| held.is(from, method)),
            }
        }),
    })
}

/// An event of each kind.
fn events() -> [Event; 15] {
    let failure = || Box::new(Failure::new("the disk is full"));
    [
        Event::Allocated,
        Event::Assigned,
        Event::Accepted,
        Event::Preparing,
        Event::Prepared,
        Event::Starting,
        Event::Started,
        Event::Finished,
        Event::ShutDown,
        Event::Terminated,
        Event::Failed(failure()),
        Event::Unresolved(failure()),
        Event::Delayed(failure()),
        Event::Interrupted(failure()),
        Event::Orphaned,
    ]
}

fn any_of(names: &[impl ToString]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
