//! The coverage layer counts the edges that are taken, from the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use futures::executor::block_on;
use onward::diagram::DiagramFormat;
use onward::exec::{Assignment, resolve, step};
use onward::lifecycle::{Actor, AnyTask, EDGES, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, Coverage, CoverageLayer, Script, ScriptedController, ScriptedExecutor,
};
use time::UtcDateTime;
use tracing_subscriber::layer::SubscriberExt;

const CLOCK: fn() -> UtcDateTime = || UtcDateTime::UNIX_EPOCH;

/// The moves that are counted while `run` runs.
fn covered(run: impl FnOnce()) -> Coverage {
    let layer = CoverageLayer::default();
    let subscriber = tracing_subscriber::registry().with(layer.clone());
    tracing::subscriber::with_default(subscriber, run);
    layer.coverage()
}

/// Does everything once that an agent can do with a task in this state.
fn everything_an_agent_does(from: TaskState) {
    let task = || AnyTask::resume(TaskStatus::new(from));
    let answers: [fn() -> Behavior; 2] = [Behavior::succeeds, || Behavior::fails("no")];
    for answer in answers {
        let script = Script::new().with(Call::Controller, [answer()]);
        let executor = ScriptedExecutor::new(move |_| script.clone());
        _ = block_on(resolve(&mut task(), &Assignment::new("t", ()), &executor, &CLOCK));

        for desired in TaskState::ALL {
            let operations = [Call::Prepare, Call::Start, Call::Wait, Call::Shutdown];
            let script = operations
                .into_iter()
                .fold(Script::new(), |script, call| script.with(call, [answer()]));
            let mut controller = ScriptedController::<()>::new(script);
            _ = block_on(step(&mut task(), desired, &mut controller, &CLOCK));
        }
    }
}

#[test]
fn the_agent_takes_exactly_the_edges_that_the_table_gives_it() {
    let coverage = covered(|| TaskState::ALL.into_iter().for_each(everything_an_agent_does));
    assert_eq!(coverage.untaken(Actor::Agent).count(), 0);
    assert_eq!(coverage.illegal_moves().count(), 0);
    for (edge, _) in coverage.taken() {
        assert!(edge.by.contains(&Actor::Agent), "{edge:?}");
    }
}

#[test]
fn untaken_edges_are_listed_and_marked() {
    let coverage = covered(|| everything_an_agent_does(TaskState::Running));
    let taken: Vec<_> = coverage.taken().map(|(edge, _)| (edge.from, edge.to)).collect();
    let to = |to| (TaskState::Running, to);
    assert_eq!(taken, [to(TaskState::Complete), to(TaskState::Shutdown), to(TaskState::Failed)]);
    assert_eq!(coverage.untaken(Actor::Agent).count(), 24 - 3);
    let drawn = coverage.diagram(Actor::Agent, DiagramFormat::Mermaid).to_string();
    assert_eq!(drawn.matches("|untaken|").count(), 24 - 3);
}

#[test]
fn clones_of_a_layer_count_together() {
    let layer = CoverageLayer::default();
    for clone in [layer.clone(), layer.clone()] {
        let subscriber = tracing_subscriber::registry().with(clone);
        tracing::subscriber::with_default(subscriber, || {
            everything_an_agent_does(TaskState::Starting);
        });
    }
    let once = covered(|| everything_an_agent_does(TaskState::Starting));
    for (edge, count) in once.taken() {
        assert_eq!(layer.coverage().count(edge.from, edge.to), 2 * count, "{edge:?}");
    }
}

#[test]
fn only_log_events_of_this_library_are_counted() {
    let coverage = covered(|| {
        tracing::debug!(target: "other", { state.transition = %"READY->STARTING" }, "moved");
        tracing::debug!(target: "onward::x", { state.transition = %"READY" }, "moved");
        tracing::debug!(target: "onward::x", { other = %"READY->STARTING" }, "moved");
    });
    assert_eq!(coverage, Coverage::new());
}

#[test]
fn the_order_of_recording_does_not_change_a_coverage() {
    let moves = || EDGES.iter().map(|edge| (edge.from, edge.to));
    let illegal = (TaskState::Running, TaskState::Ready);
    let one: Coverage = moves().chain([illegal]).collect();
    let mut other = Coverage::from_iter([illegal]);
    other.extend(moves().collect::<Vec<_>>().into_iter().rev());
    assert_eq!(one, other);
    assert_eq!(one.taken().count(), EDGES.len());
    assert_eq!(
        one.illegal_moves().collect::<Vec<_>>(),
        [(TaskState::Running, TaskState::Ready, 1)]
    );
}
