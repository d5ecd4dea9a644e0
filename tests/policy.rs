//! How patient a policy is, which ones are absurd, and how they are stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use onward::agent::{InvalidPolicy, Policy};
use serde_json::{Value, json};
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A policy of which nothing is as the default has it.
fn unlike_the_default() -> Policy {
    let mut policy = Policy::default()
        .with_retry(ms(2), ms(3), 4.0)
        .with_jitter(0.5)
        .with_prepare_deadline(ms(6))
        .with_start_deadline(ms(7))
        .with_shutdown_grace(None);
    policy.inspect_deadline = Some(ms(8));
    policy
}

#[test]
fn a_policy_is_changed_in_what_is_named_and_in_nothing_else() {
    let check = |change: fn(Policy) -> Policy, written: fn(&mut Policy)| {
        for before in [Policy::default(), unlike_the_default()] {
            let mut expected = before.clone();
            written(&mut expected);
            assert_eq!(change(before), expected);
        }
    };
    check(
        |policy| policy.with_retry(ms(20), ms(30), 1.5),
        |policy| {
            policy.retry_initial = ms(20);
            policy.retry_max = ms(30);
            policy.retry_factor = 1.5;
        },
    );
    check(|policy| policy.with_jitter(0.25), |policy| policy.retry_jitter = 0.25);
    check(
        |policy| policy.with_prepare_deadline(ms(60)),
        |policy| policy.prepare_deadline = Some(ms(60)),
    );
    check(
        |policy| policy.with_start_deadline(ms(70)),
        |policy| policy.start_deadline = Some(ms(70)),
    );
    check(
        |policy| policy.with_shutdown_grace(ms(80)),
        |policy| policy.shutdown_grace = Some(ms(80)),
    );
    check(|policy| policy.with_shutdown_grace(None), |policy| policy.shutdown_grace = None);
}

#[test]
fn a_delay_grows_by_the_factor_up_to_the_longest_and_is_never_less_than_a_millisecond() {
    let delays = |policy: Policy, chance| {
        [0, 1, 2, 3, 9, u32::MAX].map(|retries| policy.delay(retries, chance).as_millis())
    };
    let policy = || Policy::default().with_retry(ms(100), ms(2_000), 3.0);
    assert_eq!(delays(policy(), 1.0), [100, 300, 900, 2_000, 2_000, 2_000]);
    assert_eq!(delays(policy(), 0.5), [50, 150, 450, 1_000, 1_000, 1_000]);
    assert_eq!(delays(policy(), 0.333), [33, 99, 299, 666, 666, 666]);
    assert_eq!(delays(policy(), 0.0), [1; 6]);
    // Nothing stays nothing, however often it grows.
    assert_eq!(delays(Policy::default().with_retry(ms(0), ms(2_000), 3.0), 1.0), [1; 6]);
    assert_eq!(delays(Policy::default().with_retry(ms(100), ms(0), 3.0), 1.0), [1; 6]);
    assert_eq!(delays(Policy::default().with_retry(ms(100), ms(2_000), 1.0), 1.0), [100; 6]);
}

#[test]
fn a_policy_is_absurd_whose_delays_shrink_or_whose_jitter_is_no_part_of_a_delay() {
    let factor = |factor| Policy::default().with_retry(ms(1), ms(1), factor).check();
    for sound in [1.0, 1.5, f64::MAX] {
        assert_eq!(factor(sound), Ok(()));
    }
    for absurd in [0.999, 0.0, -2.0, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(factor(absurd), Err(InvalidPolicy::Factor(absurd)));
    }
    assert!(matches!(factor(f64::NAN), Err(InvalidPolicy::Factor(_))));

    let jitter = |jitter| Policy::default().with_jitter(jitter).check();
    for sound in [0.0, 0.5, 1.0] {
        assert_eq!(jitter(sound), Ok(()));
    }
    for absurd in [-0.001, 1.001, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(jitter(absurd), Err(InvalidPolicy::Jitter(absurd)));
    }
    assert!(matches!(jitter(f64::NAN), Err(InvalidPolicy::Jitter(_))));
}

fn read(json: Value) -> Result<Policy, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

#[test]
fn a_policy_is_stored_in_whole_milliseconds_and_read_as_it_was() {
    let stored = json!({
        "retry_initial_ms": 2, "retry_max_ms": 3, "retry_factor": 4.0, "retry_jitter": 0.5,
        "prepare_deadline_ms": 6, "start_deadline_ms": 7, "shutdown_grace_ms": null,
        "inspect_deadline_ms": 8,
    });
    assert_eq!(serde_json::to_value(unlike_the_default()).unwrap(), stored);
    assert_eq!(read(stored), Ok(unlike_the_default()));
    let fine = Policy::default().with_start_deadline(Duration::from_micros(1_900));
    assert_eq!(serde_json::to_value(fine).unwrap()["start_deadline_ms"], 1);
}

#[test]
fn what_a_stored_policy_leaves_out_has_its_default_and_what_is_absurd_is_refused() {
    assert_eq!(read(json!({})), Ok(Policy::default()));
    let jitter = json!({ "retry_jitter": 0.25 });
    assert_eq!(read(jitter), Ok(Policy::default().with_jitter(0.25)));
    assert_eq!(
        read(json!({ "retry_factor": 0.5 })).unwrap_err(),
        "retry_factor is 0.5: expected a finite number of at least 1"
    );
    assert_eq!(
        read(json!({ "retry_jitter": 2.0 })).unwrap_err(),
        "retry_jitter is 2: expected a number from 0 to 1"
    );
}
