//! Small faults of a driver and its policy. (14)

use super::agent::within;
use super::world::{Act, World};
use onward::agent::policy::Backoff;
use onward::agent::{Driver, Policy};
use onward::exec::Assignment;
use onward::lifecycle::{Task, TaskState};
use onward::testing::VirtualPool;
use std::sync::Arc;
use std::time::Duration;

fn backoff(initial: u64) -> Backoff {
    let max = Duration::from_secs(30);
    let backoff = Backoff::new(Duration::from_micros(initial), max).with_factor(2.0).unwrap();
    backoff.with_jitter(0.0).unwrap()
}

#[test]
fn a_delay_below_a_millisecond_grows() {
    assert_eq!(backoff(900).delay(0, 1.0), Duration::from_millis(1));
    assert_eq!(backoff(900).delay(10, 1.0), Duration::from_millis(921));
    for retries in 0..2000 {
        let (delay, next) = (backoff(1).delay(retries, 1.0), backoff(1).delay(retries + 1, 1.0));
        assert!(delay <= next && next <= Duration::from_secs(30), "{retries}: {delay:?}, {next:?}");
    }
    assert_eq!(backoff(1).delay(30, 1.0), Duration::from_secs(30));
}

#[test]
fn a_delay_is_rounded_after_it_has_grown() {
    assert_eq!(backoff(1900).delay(3, 1.0), Duration::from_millis(15));
    assert_eq!(backoff(2999).delay(2, 1.0), Duration::from_millis(11));
}

#[test]
fn a_delay_of_zero_is_the_shortest_delay() {
    for retries in [0, 1, 1023, 1024, u32::MAX] {
        assert_eq!(backoff(0).delay(retries, 1.0), Duration::from_millis(1));
    }
}

/// The calls of a task whose `start` exceeds its deadline. `terminate` then takes 5 s. After 3 s
/// the desired state is set.
fn terminated(desired_state: Option<TaskState>) -> World {
    let world = World::new(|_, _, call| match call {
        "start" => Act::Hangs,
        "terminate" => Act::Takes(5000),
        _ => Act::Returns,
    });
    let pool = VirtualPool::new(world.time().clone(), 1);
    let assignment = Assignment::new("x", "A".to_owned());
    let policy = Policy::default().with_start_deadline(Duration::from_secs(1));
    let driver =
        Driver::new(Task::new(), assignment.clone(), world.clone(), Arc::new(pool.clone()));
    let mut driver = driver.with_policy(policy);
    let handle = driver.handle();
    let told = async {
        pool.time().sleep_until(Duration::from_secs(3), onward::testing::Turn::Script).await;
        if let Some(desired_state) = desired_state {
            handle.update(assignment.with_desired_state(desired_state)).unwrap();
        }
        pool.time().sleep_until(Duration::from_secs(60), onward::testing::Turn::Script).await;
        assert!(handle.status().state.is_terminal(), "{:?}", handle.status());
        handle.close();
    };
    within(&pool, "the driver is closed", futures::future::join(driver.run(), told));
    world
}

#[test]
fn the_end_of_a_task_is_inspected_after_any_request_during_terminate() {
    let wanted = [None, Some(TaskState::Shutdown), Some(TaskState::Remove)];
    for desired_state in wanted {
        let world = terminated(desired_state);
        let calls = world.calls();
        let end = calls.iter().rposition(|call| call == "x/A terminate returned");
        let after = &calls[end.expect("it is terminated")..];
        assert!(after.contains(&"x/A inspect".into()), "{desired_state:?}: {calls:?}");
    }
}
