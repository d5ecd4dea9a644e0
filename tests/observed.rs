//! An observed executor reports each call once, with its task and its outcome.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use futures::FutureExt;
use futures::executor::block_on;
use onward::agent::{MemoryStore, TaskView, Worker};
use onward::exec::{
    Assignment, Call, CallObserver, CallOutcome, Controller, ControllerError, Executor,
    ObservedController, ObservedExecutor,
};
use onward::testing::{
    Behavior, Script, ScriptedController, ScriptedExecutor, VirtualPool, VirtualTime,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Records `t1 start begun` at the beginning of a call, and `t1 start ok` at its end.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl CallObserver for Notes {
    type Begun = Call;

    fn begun(&self, call: Call, task: Option<&str>) -> Call {
        self.0.lock().unwrap().push(format!("{} {call} begun", task.unwrap_or("-")));
        call
    }

    fn ended(&self, call: Call, task: Option<&str>, begun: Call, outcome: CallOutcome<'_>) {
        assert_eq!(call, begun);
        let error = match outcome {
            CallOutcome::Temporary(error) | CallOutcome::Failed(error) => format!(": {error}"),
            _ => String::new(),
        };
        let (task, outcome) = (task.unwrap_or("-"), outcome.as_str());
        self.0.lock().unwrap().push(format!("{task} {call} {outcome}{error}"));
    }
}

type Observed = ObservedController<ScriptedController<u64>, Notes>;

/// An observed controller that follows this script, and the notes of its calls.
fn observed(script: Script) -> (Observed, Notes) {
    let notes = Notes::default();
    let executor = ScriptedExecutor::new(move |_| script.clone());
    let executor = ObservedExecutor::new(executor, notes.clone());
    let controller = block_on(executor.controller(&Assignment::new("t1", 1))).unwrap();
    assert_eq!(notes.take(), ["t1 controller begun", "t1 controller ok"]);
    (controller, notes)
}

#[test]
fn every_call_is_observed_with_its_name() {
    let (mut controller, notes) = observed(Script::new());
    block_on(async {
        controller.update(&2).await.unwrap();
        controller.prepare().await.unwrap();
        controller.start().await.unwrap();
        controller.wait().await.unwrap();
        controller.shutdown().await.unwrap();
        controller.terminate().await.unwrap();
        controller.remove().await.unwrap();
        _ = controller.inspect().await;
        controller.close().await.unwrap();
    });
    let ended: Vec<_> = notes.take().into_iter().filter(|note| !note.ends_with("begun")).collect();
    let calls = [
        "update",
        "prepare",
        "start",
        "wait",
        "shutdown",
        "terminate",
        "remove",
        "inspect",
        "close",
    ];
    assert_eq!(ended, calls.map(|call| format!("t1 {call} ok")));
}

#[test]
fn an_outcome_classifies_an_error_as_a_driver_does() {
    let cases = [
        (Call::Prepare, ControllerError::already_prepared(), "t1 prepare ok"),
        (Call::Start, ControllerError::already_started(), "t1 start ok"),
        (Call::Start, ControllerError::already_prepared(), "t1 start error: already prepared"),
        (Call::Wait, ControllerError::new("exit code 3"), "t1 wait error: exit code 3"),
        (Call::Wait, ControllerError::new("busy").temporary(), "t1 wait temporary: busy"),
        (Call::Wait, ControllerError::interrupted("stop"), "t1 wait temporary: stop"),
        (Call::Inspect, ControllerError::new("no answer"), "t1 inspect error: no answer"),
    ];
    for (call, error, expected) in cases {
        let (mut controller, notes) = observed(Script::new().with(call, [Behavior::fails(error)]));
        block_on(async {
            match call {
                Call::Prepare => _ = controller.prepare().await,
                Call::Start => _ = controller.start().await,
                Call::Wait => _ = controller.wait().await,
                _ => _ = controller.inspect().await,
            }
        });
        assert_eq!(notes.take()[1], expected);
    }
}

#[test]
fn the_end_of_a_dropped_and_of_a_panicked_call_is_observed() {
    let script = Script::new()
        .with(Call::Wait, [Behavior::hangs()])
        .with(Call::Start, [Behavior::panics("no")]);
    let (mut controller, notes) = observed(script);
    assert!(controller.wait().now_or_never().is_none());
    assert_eq!(notes.take(), ["t1 wait begun", "t1 wait dropped"]);
    // A future that was never polled has not called the controller.
    drop(controller.wait());
    assert_eq!(notes.take(), [""; 0]);
    catch_unwind(AssertUnwindSafe(|| controller.start().now_or_never())).unwrap_err();
    assert_eq!(notes.take(), ["t1 start begun", "t1 start panicked"]);
}

#[test]
fn the_calls_of_a_worker_to_executor_and_controllers_are_observed() {
    let (notes, pool) = (Notes::default(), VirtualPool::new(VirtualTime::new(), 0));
    let late = Behavior::fails(ControllerError::new("not yet").temporary());
    let script = Script::new().with(Call::Prepare, [late, Behavior::succeeds()]);
    let executor = ScriptedExecutor::new(move |_| script.clone()).with_time(pool.time().clone());
    let executor = ObservedExecutor::new(executor, notes.clone());
    let agent = async {
        let runtime = Arc::new(pool.clone());
        let mut worker = Worker::open(executor, MemoryStore::new(), runtime).await.unwrap();
        let handle = worker.handle();
        let life = async {
            handle.assign([Assignment::new("t1", 1)]).await.unwrap();
            handle.until(|tasks| tasks.iter().all(TaskView::has_ended)).await.unwrap();
            handle.close();
        };
        futures::future::join(worker.run(), life).await;
    };
    pool.run_until(agent).unwrap();
    let mut ended = notes.take();
    ended.retain(|note| !note.ends_with("begun") && !note.contains("inspect"));
    let (listed, ended): (Vec<_>, Vec<_>) =
        ended.into_iter().partition(|note| note.starts_with("- list"));
    assert_eq!(listed, ["- list ok"]);
    let expected = ["controller ok", "prepare temporary: not yet", "prepare ok", "start ok"];
    let expected = [&expected[..], &["wait ok", "close ok"]].concat();
    assert_eq!(ended, expected.into_iter().map(|note| format!("t1 {note}")).collect::<Vec<_>>());
}
