//! The table of edges and everything that depends on it, checked over all cases: 14 states,
//! 196 pairs of states, 15 events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use onward::lifecycle::{
    Actor, Answer, AnyTask, ContainerStatus, Decision, EDGES, Event, EventKind, Failure, Observed,
    Operation, PortConfig, PortStatus, State, Task, TaskState, TaskStatus, UnknownStateError,
    decide, state,
};
use std::collections::BTreeSet;
use time::{Duration, UtcDateTime};

const NOW: UtcDateTime = UtcDateTime::UNIX_EPOCH;

/// The edges of the table, written again by hand from what SwarmKit does.
fn expected_edges() -> BTreeSet<(TaskState, TaskState)> {
    use TaskState as S;
    let mut edges = BTreeSet::from([
        // The edges of the managers.
        (S::New, S::Pending),
        (S::Pending, S::Assigned),
        // The agent's path to COMPLETE.
        (S::New, S::Accepted),
        (S::Pending, S::Accepted),
        (S::Assigned, S::Accepted),
        (S::Accepted, S::Preparing),
        (S::Preparing, S::Ready),
        (S::Ready, S::Starting),
        (S::Starting, S::Running),
        (S::Running, S::Complete),
        // Failure from STARTING on.
        (S::Starting, S::Failed),
        (S::Running, S::Failed),
    ]);
    for from in TaskState::ALL {
        if from < S::Complete {
            edges.insert((from, S::Shutdown));
        }
        if from < S::Starting {
            edges.insert((from, S::Rejected));
        }
        if (S::Assigned..=S::Running).contains(&from) {
            edges.insert((from, S::Orphaned));
        }
    }
    edges
}

const OPERATIONS: [Operation; 5] = [
    Operation::Prepare,
    Operation::Start,
    Operation::Wait,
    Operation::Shutdown,
    Operation::Terminate,
];

fn failure() -> Failure {
    Failure::new("no").with_exit_code(3)
}

/// Every possible answer.
fn answers() -> [Answer; 4] {
    [
        Answer::Succeeded,
        Answer::Delayed(Box::new(failure())),
        Answer::Interrupted(Box::new(failure())),
        Answer::Failed(Box::new(failure())),
    ]
}

/// Every possible event.
fn events() -> Vec<Event> {
    let failure = || Box::new(failure());
    vec![
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

fn pairs() -> impl Iterator<Item = (TaskState, TaskState)> {
    TaskState::ALL.into_iter().flat_map(|a| TaskState::ALL.map(|b| (a, b)))
}

fn task_in(state: TaskState) -> AnyTask {
    AnyTask::resume(TaskStatus::new(state))
}

#[test]
fn the_table_has_the_32_edges_and_no_other() {
    let edges: BTreeSet<_> = EDGES.iter().map(|row| (row.from, row.to)).collect();
    assert_eq!(edges, expected_edges());
    assert_eq!(EDGES.len(), 32, "no row is repeated");
    for (from, to) in pairs() {
        assert_eq!(from.can_become(to), edges.contains(&(from, to)), "{from} => {to}");
        assert_eq!(from.successors().any(|next| next == to), edges.contains(&(from, to)));
    }
}

#[test]
fn the_agent_takes_24_edges_and_the_managers_8_of_their_own() {
    let of = |actor| EDGES.iter().filter(move |row| row.by.contains(&actor));
    assert_eq!(of(Actor::Agent).count(), 24);
    assert_eq!(EDGES.iter().filter(|row| !row.by.contains(&Actor::Agent)).count(), 8);
    let single = |actor| of(actor).map(|row| (row.from, row.to)).collect::<Vec<_>>();
    assert_eq!(single(Actor::Allocator), [(TaskState::New, TaskState::Pending)]);
    assert_eq!(
        single(Actor::Scheduler),
        [(TaskState::Pending, TaskState::Assigned), (TaskState::Pending, TaskState::Shutdown)]
    );
    assert_eq!(of(Actor::Dispatcher).count(), 6);
    assert!(of(Actor::Dispatcher).all(|row| row.to == TaskState::Orphaned));
    assert_eq!(single(Actor::Dispatcher), single(Actor::ControlApi));
}

#[test]
fn a_state_is_terminal_if_and_only_if_no_edge_leaves_it() {
    for state in TaskState::ALL {
        assert_eq!(state.is_terminal(), state.successors().next().is_none(), "{state}");
    }
}

#[test]
fn can_reach_is_the_transitive_closure_of_the_edges() {
    // Warshall's algorithm, over the edges written by hand.
    let mut closure = expected_edges();
    for via in TaskState::ALL {
        for (from, to) in pairs() {
            if closure.contains(&(from, via)) && closure.contains(&(via, to)) {
                closure.insert((from, to));
            }
        }
    }
    for (from, to) in pairs() {
        assert_eq!(from.can_reach(to), closure.contains(&(from, to)), "{from} => {to}");
    }
}

#[test]
fn the_predecessors_of_a_state_are_the_states_it_is_a_successor_of() {
    for (from, to) in pairs() {
        let succeeds = from.successors().any(|state| state == to);
        assert_eq!(to.predecessors().any(|state| state == from), succeeds, "{from} => {to}");
    }
}

/// The number of edges of a shortest path, by breadth-first search over the edges written
/// by hand.
fn distance(from: TaskState, to: TaskState) -> Option<usize> {
    let mut reached = BTreeSet::from([from]);
    (1..=TaskState::ALL.len()).find(|_| {
        reached = expected_edges()
            .into_iter()
            .filter(|(a, _)| reached.contains(a))
            .map(|(_, b)| b)
            .collect();
        reached.contains(&to)
    })
}

#[test]
fn path_to_returns_a_shortest_path_if_the_state_can_be_reached() {
    for (from, to) in pairs() {
        let path = from.path_to(to);
        assert_eq!(path.is_some(), from.can_reach(to), "{from} => {to}");
        assert_eq!(path.as_ref().map(|path| path.len() - 1), distance(from, to), "{from} => {to}");
        if let Some(path) = path {
            assert_eq!((path.first(), path.last()), (Some(&from), Some(&to)));
            assert!(path.windows(2).all(|pair| pair[0].can_become(pair[1])), "{path:?}");
        }
    }
}

#[test]
fn every_event_in_every_state_follows_an_edge_or_is_refused() {
    for from in TaskState::ALL {
        for event in events() {
            let told = format!("{} in {from}", event.kind());
            let moved = match event.kind().leads_to(from) {
                Some(to) => from.can_become(to).then_some(to),
                // These events note an error and move nothing.
                None if event.kind() == EventKind::Unresolved => Some(from),
                None => (!from.is_terminal()).then_some(from),
            };
            match (task_in(from).apply(event.clone(), NOW), moved) {
                (Ok(task), Some(to)) => assert_eq!(task.state(), to, "{told}"),
                (Err(refused), None) => {
                    assert_eq!(refused.task, task_in(from), "{told}");
                    assert_eq!(refused.reason.event, event, "{told}");
                    assert_eq!(refused.reason.from, from, "{told}");
                }
                (applied, moved) => panic!("{told}: expected {moved:?}, was {applied:?}"),
            }
        }
    }
}

#[test]
fn an_event_has_a_kind_and_may_have_a_failure() {
    let kinds: Vec<_> = events().iter().map(Event::kind).collect();
    assert_eq!(kinds, EventKind::ALL);
    let kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    assert_eq!(
        kinds,
        [
            "allocated",
            "assigned",
            "accepted",
            "preparing",
            "prepared",
            "starting",
            "started",
            "finished",
            "shut down",
            "terminated",
            "failed",
            "unresolved",
            "delayed",
            "interrupted",
            "orphaned",
        ]
    );
    for event in events() {
        let tells = ["failed", "unresolved", "delayed", "interrupted"];
        assert_eq!(event.failure().is_some(), tells.contains(&event.kind().as_str()));
    }
    assert_eq!(Event::failed("no"), Event::Failed(Box::new(Failure::new("no"))));
    assert_eq!(Event::delayed("no"), Event::Delayed(Box::new(Failure::new("no"))));
}

#[test]
fn an_operation_has_the_name_of_its_method_and_its_own_event_of_success() {
    let named = [
        (Operation::Prepare, "prepare", EventKind::Prepared),
        (Operation::Start, "start", EventKind::Started),
        (Operation::Wait, "wait", EventKind::Finished),
        (Operation::Shutdown, "shutdown", EventKind::ShutDown),
        (Operation::Terminate, "terminate", EventKind::Terminated),
    ];
    assert_eq!(named.map(|row| row.0), OPERATIONS);
    for (operation, name, event) in named {
        assert_eq!(operation.to_string(), name);
        let kinds: Vec<_> = answers().iter().map(|answer| answer.kind(operation)).collect();
        assert_eq!(kinds, [event, EventKind::Delayed, EventKind::Interrupted, EventKind::Failed]);
    }
    let failures: Vec<_> = answers().iter().map(|answer| answer.failure().cloned()).collect();
    assert_eq!(failures, [None, Some(failure()), Some(failure()), Some(failure())]);
}

/// The only state in which an operation runs. `None` if it runs in every live state.
fn state_of(operation: Operation) -> Option<TaskState> {
    match operation {
        Operation::Prepare => Some(TaskState::Preparing),
        Operation::Start => Some(TaskState::Starting),
        Operation::Wait => Some(TaskState::Running),
        Operation::Shutdown | Operation::Terminate => None,
    }
}

#[test]
fn every_answer_is_recorded_as_its_event_if_the_operation_can_run() {
    for (from, operation) in TaskState::ALL.into_iter().flat_map(|s| OPERATIONS.map(|o| (s, o))) {
        let runs = state_of(operation).map_or(!from.is_terminal(), |state| state == from);
        for answer in answers() {
            let told = format!("{answer:?} of {operation} in {from}");
            let kind = answer.kind(operation);
            let event = events().into_iter().find(|event| event.kind() == kind).unwrap();
            let mut task = task_in(from);
            let recorded = task.record(operation, answer, NOW);
            if runs {
                assert_eq!(recorded, Ok(()), "{told}");
                assert_eq!(Ok(task), task_in(from).apply(event, NOW), "{told}");
            } else {
                let error = recorded.unwrap_err();
                assert_eq!((error.state, error.operation), (from, operation), "{told}");
                assert_eq!(task, task_in(from), "{told}");
                assert_eq!(task.take_changed(), None, "{told}");
            }
        }
    }
}

#[test]
fn the_error_of_an_invalid_operation_names_the_expected_state() {
    use TaskState as S;
    let refuse = |state, operation| {
        task_in(state).record(operation, Answer::Succeeded, NOW).unwrap_err().to_string()
    };
    assert_eq!(
        refuse(S::Running, Operation::Prepare),
        "`prepare` cannot run in state running: it runs only in preparing"
    );
    assert_eq!(
        refuse(S::Ready, Operation::Start),
        "`start` cannot run in state ready: it runs only in starting"
    );
    assert_eq!(
        refuse(S::Ready, Operation::Wait),
        "`wait` cannot run in state ready: it runs only in running"
    );
    for operation in OPERATIONS {
        assert_eq!(
            refuse(S::Failed, operation),
            format!("`{operation}` cannot run in state failed: the state is terminal")
        );
    }
}

#[test]
fn a_resolution_is_never_refused() {
    for from in TaskState::ALL {
        let mut task = task_in(from);
        let recorded = task.resolved(Ok(()), NOW);
        if from < TaskState::Accepted {
            assert_eq!(recorded, Some(EventKind::Accepted), "{from}");
            assert_eq!(Ok(task), task_in(from).apply(Event::Accepted, NOW), "{from}");
        } else {
            assert_eq!((recorded, task), (None, task_in(from)), "{from}");
        }
        let mut task = task_in(from);
        assert_eq!(task.resolved(Err(failure()), NOW), Some(EventKind::Unresolved));
        let event = Event::Unresolved(Box::new(failure()));
        assert_eq!(Ok(task), task_in(from).apply(event, NOW), "{from}");
    }
}

#[test]
fn tasks_are_equal_if_their_statuses_are() {
    let new = || AnyTask::from(Task::new());
    assert_eq!(new(), task_in(TaskState::New));
    assert_ne!(new(), task_in(TaskState::Pending));
    let mut noted = new();
    noted.inspected(Some(ContainerStatus::default()), None, NOW);
    assert_eq!(noted, new());
    let all: [fn(&mut TaskStatus); 5] = [
        |status| status.timestamp = Some(NOW),
        |status| status.message = "x".into(),
        |status| status.err = Some("x".into()),
        |status| {
            status.container_status = Some(ContainerStatus { pid: Some(1), ..Default::default() });
        },
        |status| status.port_status.ports = vec![PortConfig::default()],
    ];
    for change in all {
        let mut status = TaskStatus::new(TaskState::New);
        change(&mut status);
        assert_ne!(AnyTask::resume(status), new());
    }
}

#[test]
fn take_changed_returns_a_change_once_and_nothing_after_resume() {
    let mut task = task_in(TaskState::Running);
    assert_eq!(task.take_changed(), None);
    let mut check = |change: &dyn Fn(&mut AnyTask), changed| {
        change(&mut task);
        assert_eq!(task.take_changed(), Some(task.status()).filter(|_| changed));
        assert_eq!(task.take_changed(), None);
    };
    check(&|task| task.advance(Event::delayed("busy"), NOW).unwrap(), true);
    check(&|task| task.advance(Event::delayed("busy"), NOW).unwrap(), false);
    check(&|task| task.inspected(None, Some(PortStatus::default()), NOW), false);
    let container = ContainerStatus { pid: Some(1), ..ContainerStatus::default() };
    check(&|task| task.inspected(Some(container.clone()), None, NOW), true);
    check(&|task| _ = task.advance(Event::Prepared, NOW).unwrap_err(), false);
    check(&|task| task.advance(Event::failed("gone"), NOW).unwrap(), true);
    check(&|task| task.advance(Event::Unresolved(Box::new("x".into())), NOW).unwrap(), true);

    let mut new = Task::new();
    assert_eq!(new.take_changed(), None);
    let mut pending = new.allocated(NOW);
    assert_eq!(pending.take_changed().unwrap().state, TaskState::Pending);
    assert_eq!(pending.take_changed(), None);
    // A change that was not taken before a move is taken after it.
    let mut accepted = pending.assigned(NOW).accepted(NOW);
    assert_eq!(accepted.take_changed().unwrap().message, "accepted");
}

#[test]
fn advance_does_the_same_as_apply_and_a_refused_event_changes_nothing() {
    for from in TaskState::ALL {
        for event in events() {
            let mut task = task_in(from);
            let advanced = task.advance(event.clone(), NOW);
            match task_in(from).apply(event, NOW) {
                Ok(applied) => assert_eq!((task, advanced), (applied, Ok(()))),
                Err(refused) => assert_eq!((task, advanced), (refused.task, Err(refused.reason))),
            }
        }
    }
}

#[test]
fn the_error_of_a_refused_event_names_both_states_and_the_legal_ones() {
    let refuse = |from, event| task_in(from).apply(event, NOW).unwrap_err().to_string();
    assert_eq!(
        refuse(TaskState::Running, Event::Prepared),
        "cannot apply `prepared` in state running: no edge leads to ready; \
         expected complete, shutdown, failed or orphaned"
    );
    assert_eq!(
        refuse(TaskState::Complete, Event::ShutDown),
        "cannot apply `shut down` in state complete: \
         the state is terminal"
    );
    assert_eq!(
        refuse(TaskState::Failed, Event::Delayed(Box::new(Failure::new("x")))),
        "cannot apply `delayed` in state failed: the state is terminal"
    );
}

#[test]
fn a_task_resumed_in_any_state_has_that_state_and_that_status() {
    for state in TaskState::ALL {
        let mut status = TaskStatus::new(state);
        status.message = "carried over".into();
        status.timestamp = Some(NOW);
        let task = AnyTask::resume(status.clone());
        assert_eq!(task.state(), state);
        assert_eq!(task.status(), status);
    }
}

/// Checks that a state's type and its value agree.
fn check_type<S: State>()
where
    Task<S>: TryFrom<AnyTask, Error = AnyTask>,
    AnyTask: From<Task<S>>,
{
    assert_eq!(size_of::<S>(), 0, "{}", S::VALUE);
    assert_eq!(size_of::<Task<S>>(), size_of::<usize>(), "{}", S::VALUE);
    for state in TaskState::ALL {
        match Task::<S>::try_from(task_in(state)) {
            Ok(task) => {
                assert_eq!(state, S::VALUE);
                assert_eq!(AnyTask::from(task), task_in(state));
            }
            Err(task) => {
                assert_ne!(state, S::VALUE);
                assert_eq!(task, task_in(state));
            }
        }
    }
}

#[test]
fn each_state_is_a_zero_sized_type_and_its_task_one_pointer() {
    check_type::<state::New>();
    check_type::<state::Pending>();
    check_type::<state::Assigned>();
    check_type::<state::Accepted>();
    check_type::<state::Preparing>();
    check_type::<state::Ready>();
    check_type::<state::Starting>();
    check_type::<state::Running>();
    check_type::<state::Complete>();
    check_type::<state::Shutdown>();
    check_type::<state::Failed>();
    check_type::<state::Rejected>();
    check_type::<state::Remove>();
    check_type::<state::Orphaned>();
    assert_eq!(size_of::<AnyTask>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Event>(), 2 * size_of::<usize>());
}

#[test]
fn states_are_ordered_by_their_numbers_and_read_by_number_and_name() {
    let numbers = [0, 64, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 800, 832];
    assert_eq!(TaskState::ALL.map(TaskState::number), numbers);
    for (a, b) in pairs() {
        assert_eq!(a.cmp(&b), a.number().cmp(&b.number()));
    }
    for number in -1..1000 {
        match TaskState::try_from(number) {
            Ok(state) => assert_eq!(state.number(), number),
            Err(error) => {
                assert!(!numbers.contains(&number));
                assert_eq!(error, UnknownStateError::Number(number));
            }
        }
    }
    for state in TaskState::ALL {
        assert_eq!(i32::from(state), state.number());
        assert_eq!(state.to_string().parse(), Ok(state));
        assert_eq!(state.proto_name(), state.as_str().to_uppercase());
        assert!(state.proto_name().parse::<TaskState>().is_err());
    }
}

#[test]
fn the_error_of_an_unknown_state_lists_all_states() {
    assert_eq!(
        TaskState::try_from(1).unwrap_err().to_string(),
        "unknown task state 1: expected 0 (new), 64 (pending), 192 (assigned), 256 (accepted), \
         320 (preparing), 384 (ready), 448 (starting), 512 (running), 576 (complete), \
         640 (shutdown), 704 (failed), 768 (rejected), 800 (remove) or 832 (orphaned)"
    );
    let refuse = |name: &str| name.parse::<TaskState>().unwrap_err().to_string();
    let names = "expected new, pending, assigned, accepted, preparing, ready, starting, running, \
                 complete, shutdown, failed, rejected, remove or orphaned";
    assert_eq!(refuse("asleep"), format!("unknown task state `asleep`: {names}"));
    assert_eq!(
        refuse("RUNNING"),
        format!("unknown task state `RUNNING`: did you mean `running`? {names}")
    );
    assert_eq!(
        refuse(" Ready"),
        format!("unknown task state ` Ready`: did you mean `ready`? {names}")
    );
    assert_eq!(
        refuse("completed"),
        format!("unknown task state `completed`: did you mean `complete`? {names}")
    );
}

#[test]
fn decide_is_the_rule_of_swarmkit_for_every_pair() {
    use TaskState as S;
    for (observed, desired) in pairs() {
        let next = if desired >= S::Shutdown {
            if observed < S::Complete {
                Decision::Perform(Operation::Shutdown)
            } else {
                Decision::Rest
            }
        } else {
            match observed {
                // These states run an operation at their own desired state.
                S::Preparing if desired >= observed => Decision::Perform(Operation::Prepare),
                S::Starting if desired >= observed => Decision::Perform(Operation::Start),
                S::Running if desired >= observed => Decision::Perform(Operation::Wait),
                // These states move only if the desired state is above them.
                S::New | S::Pending | S::Assigned if desired > observed => {
                    Decision::Record(Event::Accepted)
                }
                S::Accepted if desired > observed => Decision::Record(Event::Preparing),
                S::Ready if desired > observed => Decision::Record(Event::Starting),
                _ => Decision::Rest,
            }
        };
        assert_eq!(decide(observed, desired), next, "{observed} wanted {desired}");
    }
}

#[test]
fn a_decision_is_never_refused() {
    for (observed, desired) in pairs() {
        match decide(observed, desired) {
            Decision::Rest => {}
            Decision::Record(event) => {
                drop(task_in(observed).apply(event, NOW).expect("a legal move"));
            }
            Decision::Perform(operation) => {
                assert_ne!(operation, Operation::Terminate, "`decide` never returns `terminate`");
                for answer in answers() {
                    task_in(observed).record(operation, answer, NOW).expect("a legal answer");
                }
            }
        }
    }
}

/// How a report relates to a task, by the rules of SwarmKit's managers.
fn expected_observation(here: TaskState, there: TaskState) -> Observed {
    use TaskState as S;
    let decrees = [
        (S::Starting, S::Rejected),
        (S::Running, S::Rejected),
        (S::New, S::Orphaned),
        (S::Pending, S::Orphaned),
    ];
    if here.is_terminal() && there.is_terminal() && here != there {
        Observed::Conflicting
    } else if there <= here {
        Observed::Stale
    } else if decrees.contains(&(here, there)) || there == S::Remove {
        Observed::Forced
    } else if there == S::Failed || here < there {
        Observed::Advanced
    } else {
        Observed::Stale
    }
}

#[test]
fn a_report_is_merged_for_every_pair_of_states() {
    for (here, there) in pairs() {
        let mut task = task_in(here);
        let reported = TaskStatus::new(there);
        let observed = task.observe(&reported);
        assert_eq!(observed, expected_observation(here, there), "{here} hears {there}");
        let expected = if observed == Observed::Advanced { there } else { here };
        assert_eq!(task.state(), expected);
    }
}

#[test]
fn a_merged_report_replaces_the_whole_status() {
    let mut reported = TaskStatus::new(TaskState::Failed);
    reported.timestamp = Some(NOW);
    reported.message = "started".into();
    reported.err = Some("exit".into());
    reported.container_status =
        Some(ContainerStatus { pid: Some(1), ..ContainerStatus::default() });
    reported.port_status.ports = vec![PortConfig::default()];
    let mut task = task_in(TaskState::Running);
    assert_eq!(task.observe(&reported), Observed::Advanced);
    assert_eq!(task.status(), reported);
}

#[test]
fn a_report_of_the_same_state_is_merged_if_it_is_later() {
    for state in TaskState::ALL {
        let at = |timestamp, message: &'static str| {
            let mut status = TaskStatus::new(state);
            status.timestamp = timestamp;
            status.message = message.into();
            status
        };
        let check = |here, there, expected, message| {
            let mut task = AnyTask::resume(at(here, "here"));
            assert_eq!(task.observe(&at(there, "there")), expected, "{state}");
            assert_eq!(task.message(), message);
        };
        let later = NOW + Duration::NANOSECOND;
        check(Some(NOW), Some(later), Observed::Advanced, "there");
        check(None, Some(NOW), Observed::Advanced, "there");
        check(Some(NOW), Some(NOW), Observed::Stale, "here");
        check(Some(later), Some(NOW), Observed::Stale, "here");
        check(Some(NOW), None, Observed::Stale, "here");
        check(None, None, Observed::Stale, "here");
    }
}
