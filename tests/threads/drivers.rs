//! A driver and its handles.

use super::chance::{Chance, THREADS, in_rounds, tokio_runtime};
use super::factory::Factory;
use futures::StreamExt;
use futures::executor::block_on;
use onward::agent::policy::Backoff;
use onward::agent::{Driver, DriverHandle, Policy, Runtime, TokioRuntime};
use onward::exec::Assignment;
use onward::lifecycle::{Task, TaskState};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn policy(grace: u64) -> Policy {
    let millis = Duration::from_millis;
    Policy::default()
        .with_backoff(Backoff::new(millis(1), millis(4)))
        .with_start_deadline(millis(20))
        .with_prepare_deadline(millis(20))
        .with_update_deadline(millis(5))
        .with_shutdown_grace(millis(grace))
        .with_remove_deadline(millis(20))
        .with_inspect_deadline(millis(5))
}

/// Random calls of the handle by one thread.
fn hammer(handle: &DriverHandle<u64>, chance: &Chance, is_last: bool) {
    let assignment = |definition| Assignment::new("x", definition);
    for _ in 0..200 {
        match chance.below(8) {
            0..3 => _ = handle.update(assignment(chance.below(4))),
            3 => handle.set_policy(policy(chance.below(8))),
            4 => _ = handle.snapshot(),
            5 => _ = handle.logs(),
            6 => {
                // The first status is there at once. The next one may never come.
                let mut watch = handle.watch();
                assert!(block_on(watch.next()).is_some() || handle.snapshot().driver_has_ended);
            }
            _ => thread::yield_now(),
        }
    }
    if is_last {
        _ = handle.update(assignment(9).with_desired_state(TaskState::Shutdown));
        handle.remove();
        if chance.one_in(2) {
            handle.close();
        }
    }
}

fn round(seed: u64, workers: usize) {
    let main = tokio_runtime(workers);
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(main.handle().clone()));
    let factory = Factory::new(seed);
    let driver = Driver::new(Task::new(), Assignment::new("x", 0), factory.clone(), runtime);
    let mut driver = driver.with_policy(policy(5));
    let handle = driver.handle();
    let chance = Chance::new(seed);
    let run = main.spawn(async move {
        // Dropped in the middle, and called again.
        while !chance.one_in(30) {
            let limit = Duration::from_micros(chance.below(1000));
            if tokio::time::timeout(limit, driver.run()).await.is_ok() {
                return driver;
            }
        }
        _ = driver.run().await;
        driver
    });
    let watching = handle.clone();
    // It follows all statuses, and ends with the driver.
    let watcher = thread::spawn(move || {
        let states = block_on(watching.watch().map(|status| status.state).collect::<Vec<_>>());
        assert!(states.is_sorted(), "the state fell: {states:?}");
        let snapshots = block_on(watching.snapshots().collect::<Vec<_>>());
        assert!(snapshots.last().is_none_or(|last| last.driver_has_ended));
    });
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (handle, chance) = (handle.clone(), Chance::new(seed * 100 + thread));
            thread::spawn(move || hammer(&handle, &chance, thread == 0))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread has found nothing wrong");
    }
    let driver = main.block_on(run).expect("run has not panicked");
    watcher.join().expect("the watcher has found nothing wrong");
    assert!(handle.snapshot().driver_has_ended);
    drop(driver);
    main.shutdown_timeout(Duration::from_secs(20));
    let (made, dropped) = (&factory.counts.made, &factory.counts.dropped);
    let count =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Acquire);
    assert_eq!(count(made), count(dropped), "controllers that were made, and that were dropped");
    assert_eq!(count(&factory.counts.overlaps), 0, "operations that ran beside another");
}

#[test]
fn a_driver_keeps_its_promises_to_six_threads_while_its_run_is_dropped_and_called_again() {
    in_rounds("a driver", round);
}
