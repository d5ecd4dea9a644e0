//! A worker and its handles.

use super::chance::{Chance, THREADS, in_rounds, tokio_runtime};
use super::ear::{Ear, Hearing};
use super::factory::Factory;
use super::flaky::{Flaky, FlakyStore};
use super::hammer::Hammer;
use futures::executor::block_on;
use onward::agent::policy::Backoff;
use onward::agent::{AssignError, Policy, Worker};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The disturbance of the agent while its handles are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Nothing,
    /// The runtime refuses and drops some futures, and others are aborted.
    Aborts,
    /// The tokio runtime of the drivers is shut down. The worker continues.
    DriversShutDown,
    /// The future of the worker's `run` is aborted, and `run` is called again.
    RunDropped,
    /// The tokio runtime with the worker in it is shut down.
    AllShutDown,
}

fn policy() -> Policy {
    let millis = Duration::from_millis;
    Policy::default()
        .with_backoff(Backoff::new(millis(1), millis(4)))
        .with_controller_deadline(millis(50))
        .with_prepare_deadline(millis(20))
        .with_start_deadline(millis(20))
        .with_update_deadline(millis(10))
        .with_shutdown_grace(millis(5))
        .with_remove_deadline(millis(20))
        .with_inspect_deadline(millis(5))
}

fn round(seed: u64, workers: usize, trouble: Trouble) {
    let (main, drivers) = (tokio_runtime(workers), tokio_runtime(workers));
    let place = if trouble == Trouble::AllShutDown { main.handle() } else { drivers.handle() };
    let runtime = Flaky::new(main.handle(), place, seed, trouble == Trouble::Aborts);
    let (factory, hearing) = (Factory::new(seed), Hearing::new(seed));
    let opened = Worker::open(factory.clone(), FlakyStore::new(seed), runtime.clone());
    let limit = NonZeroUsize::new(3).expect("it is not zero");
    let worker = block_on(opened).expect("the store can be read");
    let mut worker =
        worker.with_policy(policy()).with_start_limit(limit).with_sink(Ear::new(&hearing).0);
    let handle = worker.handle();
    let chance = Chance::new(seed);
    let run = main.spawn(async move {
        while trouble == Trouble::RunDropped && !chance.one_in(20) {
            let limit = Duration::from_micros(chance.below(2000));
            if tokio::time::timeout(limit, worker.run()).await.is_ok() {
                return worker;
            }
        }
        worker.run().await;
        worker
    });
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let hammer = Hammer {
                handle: handle.clone(),
                chance: Chance::new(seed * 100 + thread),
                hearing: Arc::clone(&hearing),
                runtime: Arc::clone(&runtime),
                aborts: trouble == Trouble::Aborts,
                closes: thread == 0 && seed.is_multiple_of(4),
                asked: Arc::clone(&asked),
                answered: Arc::clone(&answered),
            };
            thread::spawn(move || hammer.run())
        })
        .collect();
    // In the middle: when a third of the messages is answered.
    while answered.load(Ordering::Acquire) < 100 && !threads.iter().all(JoinHandle::is_finished) {
        thread::yield_now();
    }
    let main = match trouble {
        Trouble::DriversShutDown => {
            drivers.shutdown_background();
            Some(main)
        }
        Trouble::AllShutDown => {
            main.shutdown_timeout(Duration::from_secs(20));
            None
        }
        _ => Some(main),
    };
    for thread in threads {
        thread.join().expect("a thread has found nothing wrong");
    }
    handle.close();
    if let Some(main) = main {
        // It ends by the close.
        let worker = main.block_on(run).expect("run has not panicked");
        assert!(matches!(
            block_on(handle.assign([] as [onward::Assignment<u64>; 0])),
            Err(AssignError::Closed)
        ));
        drop(worker);
        main.shutdown_timeout(Duration::from_secs(20));
    } else {
        // It has the worker, if `run` had returned before the shutdown.
        drop(run);
    }
    assert!(matches!(block_on(handle.shut_down()), Err(AssignError::Closed)));
    assert_eq!(asked.load(Ordering::Acquire), answered.load(Ordering::Acquire));
    drop(handle);
    factory.assert_nothing_is_left();
    hearing.assert_nothing_is_wrong_or_left();
}

#[test]
fn a_worker_keeps_its_promises_to_six_threads() {
    in_rounds("six threads", |seed, workers| round(seed, workers, Trouble::Nothing));
}

#[test]
fn a_worker_keeps_its_promises_while_the_futures_of_its_drivers_are_refused_dropped_and_aborted() {
    in_rounds("aborted futures", |seed, workers| round(seed, workers, Trouble::Aborts));
}

#[test]
fn a_worker_keeps_its_promises_while_the_runtime_of_its_drivers_is_shut_down() {
    in_rounds("drivers shut down", |seed, workers| round(seed, workers, Trouble::DriversShutDown));
}

#[test]
fn a_worker_keeps_its_promises_while_its_run_is_dropped_and_called_again() {
    in_rounds("run dropped", |seed, workers| round(seed, workers, Trouble::RunDropped));
}

#[test]
fn a_worker_whose_runtime_is_shut_down_leaves_nothing_and_answers_everything() {
    in_rounds("all shut down", |seed, workers| round(seed, workers, Trouble::AllShutDown));
}
