//! A worker on one tokio runtime, whose `TokioRuntime` is that of another one. When the other one
//! is shut down, its sleeps panic.

use super::chance::{in_rounds, tokio_runtime};
use futures::executor::block_on;
use onward::agent::store::{StoreCall, StoreFault};
use onward::agent::{MemoryStore, TokioRuntime, Worker};
use onward::exec::{Assignment, ControllerError};
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call, Script, ScriptedExecutor};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn task(id: &str) -> Assignment<u64> {
    Assignment::new(id, 1)
}

/// Tasks that retry `prepare` while the store fails, when the runtime of the sleeps is shut down.
fn round(workers: usize) {
    let (main, other) = (tokio_runtime(workers), tokio_runtime(workers));
    let executor = ScriptedExecutor::new(|task: &Assignment<u64>| {
        let script = Script::new().with(Call::Wait, [Behavior::hangs()]);
        if task.id.starts_with("late") {
            let busy = Behavior::fails(ControllerError::new("busy").temporary());
            return script.with(Call::Prepare, [busy]);
        }
        script
    });
    let (store, fails) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
    let failing = Arc::clone(&fails);
    store.set_faults(move |call| {
        let fails = matches!(call, StoreCall::Commit(_)) && failing.load(Ordering::Acquire);
        fails.then_some(StoreFault::Fails { written: 0 })
    });
    let runtime = Arc::new(TokioRuntime::new(other.handle().clone()));
    let worker = block_on(Worker::open(executor, store.clone(), runtime));
    let mut worker = worker.expect("the store can be read");
    let handle = worker.handle();
    let run = main.spawn(async move { worker.run().await });
    let assigned = block_on(handle.assign(["late.1", "web.1"].map(task)));
    assert_eq!(assigned.expect("it is accepted"), []);
    block_on(
        handle.until(|tasks| {
            tasks.iter().any(|task| task.snapshot.status.state == TaskState::Running)
        }),
    )
    .expect("the worker is open");

    // Now a commit waits for its next attempt, and so does late.1.
    fails.store(true, Ordering::Release);
    let refused = block_on(handle.assign(["late.1", "web.1", "web.2"].map(task)));
    assert!(refused.is_err(), "the store fails");
    other.shutdown_timeout(Duration::from_secs(20));
    fails.store(false, Ordering::Release);

    let assigned = block_on(handle.assign(["late.1", "late.2", "web.1", "web.3"].map(task)));
    assert_eq!(assigned.expect("it is accepted"), []);
    block_on(handle.until(|tasks| {
        let web = tasks.iter().filter(|task| task.id().starts_with("web"));
        web.filter(|task| task.snapshot.status.state == TaskState::Running).count() == 2
    }))
    .expect("the worker goes on without time");
    block_on(handle.shut_down()).expect("every task ends without time");
    handle.close();
    main.block_on(run).expect("run has not panicked");
    let stored = store.get("web.3").expect("it is stored");
    assert_eq!(stored.status.expect("it has a status").state, TaskState::Shutdown);
}

#[test]
fn a_worker_continues_if_the_runtime_of_its_sleeps_is_shut_down() {
    in_rounds("two runtimes", |_, workers| round(workers));
}
