//! A driver and its handle.

use super::model::{explore, explore_often};
use super::place::{Runs, Still};
use futures::StreamExt;
use futures::future::{Either, select};
use onward::agent::driver::DefinitionStatus;
use onward::agent::{Driver, DriverExit, DriverHandle};
use onward::exec::Assignment;
use onward::lifecycle::{Task, TaskState};
use shuttle::future::block_on;
use shuttle::thread;
use std::pin::pin;

fn assignment(definition: u32) -> Assignment<u32> {
    Assignment::new("x", definition)
}

fn driver(executor: Runs) -> Driver<Runs> {
    Driver::new(Task::new(), assignment(0), executor, Still::shared())
}

/// Runs a driver on a thread of its own.
fn driving(executor: Runs) -> (DriverHandle<u32>, thread::JoinHandle<DriverExit>) {
    let mut driver = driver(executor);
    (driver.handle(), thread::spawn(move || block_on(driver.run())))
}

#[test]
fn a_shutdown_and_a_removal_at_any_moment_wake_the_driver() {
    explore(|| {
        let (handle, driver) = driving(Runs::Slowly);
        let end = assignment(0).with_desired_state(TaskState::Shutdown);
        handle.update(end).unwrap();
        handle.remove();
        assert_eq!(driver.join().unwrap(), DriverExit::Removed);
    });
}

#[test]
fn one_request_at_any_time_wakes_a_driver_whose_calls_return_at_once() {
    explore(|| {
        let (handle, driver) = driving(Runs::AtOnce);
        handle.remove();
        assert_eq!(driver.join().unwrap(), DriverExit::Removed);
    });
    explore(|| {
        let (handle, driver) = driving(Runs::AtOnce);
        handle.close();
        assert_eq!(driver.join().unwrap(), DriverExit::Closed);
    });
    explore(|| {
        let (handle, driver) = driving(Runs::AtOnce);
        let end = assignment(0).with_desired_state(TaskState::Shutdown);
        let updating = handle.clone();
        let updating = thread::spawn(move || updating.update(end).unwrap());
        block_on(async {
            let mut watch = handle.watch();
            while watch.next().await.is_some_and(|status| !status.state.is_terminal()) {}
        });
        updating.join().unwrap();
        handle.remove();
        assert_eq!(driver.join().unwrap(), DriverExit::Removed);
    });
}

#[test]
fn a_close_at_any_moment_wakes_the_driver() {
    explore(|| {
        let (handle, driver) = driving(Runs::Slowly);
        handle.close();
        assert_eq!(driver.join().unwrap(), DriverExit::Closed);
        assert!(handle.snapshot().driver_has_ended);
    });
}

#[test]
fn the_last_update_of_two_threads_is_applied() {
    explore_often(4, || {
        let (handle, driver) = driving(Runs::Slowly);
        let other = handle.clone();
        let updating = thread::spawn(move || other.update(assignment(1)).unwrap());
        handle.update(assignment(2)).unwrap();
        updating.join().unwrap();
        let watched = handle.clone();
        block_on(async {
            let mut snapshots = watched.snapshots();
            while let Some(snapshot) = snapshots.next().await {
                let is_running = snapshot.status.state == TaskState::Running;
                if is_running && snapshot.definition == DefinitionStatus::Applied {
                    return;
                }
            }
            panic!("the driver has ended: {:?}", watched.snapshot());
        });
        handle.remove();
        assert_eq!(driver.join().unwrap(), DriverExit::Removed);
    });
}

#[test]
fn a_watch_sees_the_last_status_and_the_end() {
    explore_often(2, || {
        let (handle, driver) = driving(Runs::Slowly);
        let watched = handle.clone();
        let watching = thread::spawn(move || {
            let states = watched.watch().map(|status| status.state);
            let states = block_on(states.collect::<Vec<_>>());
            assert!(states.is_sorted(), "{states:?}");
            assert_eq!(states.last(), Some(&watched.status().state));
        });
        let end = assignment(0).with_desired_state(TaskState::Shutdown);
        handle.update(end).unwrap();
        handle.remove();
        driver.join().unwrap();
        watching.join().unwrap();
    });
}

#[test]
fn a_run_that_is_dropped_and_called_again_on_another_thread_is_woken() {
    explore(|| {
        let mut driver = driver(Runs::Slowly);
        let handle = driver.handle();
        let running = thread::spawn(move || {
            block_on(async {
                let other = pin!(shuttle::future::yield_now());
                if let Either::Left((exit, _)) = select(pin!(driver.run()), other).await {
                    return exit;
                }
                driver.run().await
            })
        });
        handle.remove();
        assert_eq!(running.join().unwrap(), DriverExit::Removed);
    });
}

#[test]
fn a_driver_that_is_dropped_ends_its_watches() {
    explore(|| {
        let driver = driver(Runs::Slowly);
        let handle = driver.handle();
        let watching = thread::spawn(move || block_on(handle.watch().count()));
        drop(driver);
        assert!(watching.join().unwrap() <= 1);
    });
}
