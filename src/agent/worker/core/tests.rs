//! Regression tests for faults that the exploration of the core has found.

use super::{Action, Core, Input, Message, Next};
use crate::agent::driver::{Changes, DriverExit};
use crate::agent::store::StoreChange;
use crate::agent::worker::task::AssignedTask;
use crate::exec::Assignment;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

type Worker = Core<&'static str, ()>;

/// Does all actions that need no commit. Returns the number of drivers that were started.
fn act(core: &mut Worker) -> usize {
    let mut begun = 0;
    while let Next::Act(actions) = core.next(Duration::ZERO) {
        let is_begin = |action: &&Action<_, _>| matches!(action, Action::Drive(..));
        begun += actions.iter().filter(is_begin).count();
    }
    begun
}

/// The applied definition of each record in the next commit.
fn stored(core: &mut Worker) -> Vec<Option<&'static str>> {
    let Next::Commit(changes) = core.next(Duration::ZERO) else { return Vec::new() };
    let records = changes.iter().filter_map(|change| match change {
        StoreChange::Record(record) => Some(record.applied.as_ref().map(|of| of.definition)),
        _ => None,
    });
    records.collect()
}

#[test]
fn a_removal_that_fails_while_a_full_set_is_stored_is_retried() {
    let a: AssignedTask<&str> = Assignment::new("a", "A").into();
    let applied = Some(Arc::clone(&a.assignment));
    let changed = |is_removal_failed| Changes {
        status: None,
        applied: applied.clone(),
        is_taken: true,
        is_refused: false,
        is_removal_failed,
        has_logs: false,
    };
    let mut core = Worker::new(Vec::new(), Arc::new(|_, _, _| ()));
    core.input(Input::Message(1, Message::Assign([a].into())));
    act(&mut core);
    core.committed(Ok(()), Duration::ZERO);
    assert_eq!(act(&mut core), 1);

    core.input(Input::Message(2, Message::Assign(Vec::new())));
    act(&mut core);
    // The last full set shares its commit with the applied definition.
    core.input(Input::Message(3, Message::Assign(Vec::new())));
    core.input(Input::Changed("a".into(), changed(false)));
    core.committed(Ok(()), Duration::ZERO);
    act(&mut core);
    core.input(Input::Changed("a".into(), changed(true)));
    core.committed(Ok(()), Duration::ZERO);
    act(&mut core);

    let error = "in use".into();
    core.input(Input::Ended("a".into(), DriverExit::RemovalFailed { error }));
    assert_eq!(act(&mut core), 1, "the removal is tried again");
}

#[test]
fn a_refused_definition_is_not_stored_as_applied_when_another_one_is_wanted() {
    let task = |definition| -> AssignedTask<&str> { Assignment::new("a", definition).into() };
    let (x, a) = (task("X"), task("A"));
    let changed = |applied, is_refused| Changes {
        status: None,
        applied,
        is_taken: false,
        is_refused,
        is_removal_failed: false,
        has_logs: false,
    };
    let mut core = Worker::new(Vec::new(), Arc::new(|_, _, _| ()));
    let applied = Some(Arc::clone(&x.assignment));
    core.input(Input::Message(1, Message::Assign([x].into())));
    act(&mut core);
    core.committed(Ok(()), Duration::ZERO);
    act(&mut core);
    core.input(Input::Changed("a".into(), changed(applied, false)));
    core.input(Input::Message(2, Message::Assign([a].into())));
    act(&mut core);
    assert_eq!(stored(&mut core), [Some("X")], "a controller may be made of it meanwhile");

    core.input(Input::Changed("a".into(), changed(None, true)));
    core.committed(Ok(()), Duration::ZERO);
    act(&mut core);
    assert_eq!(stored(&mut core), [None], "no controller took it");
}
