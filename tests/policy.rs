//! Tests of policies: the delays between retries, invalid values, and the JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use onward::agent::Policy;
use onward::agent::policy::{Backoff, BackoffError};
use serde_json::{Value, json};
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn backoff(initial: Duration, max: Duration, factor: f64) -> Backoff {
    Backoff::new(initial, max).with_factor(factor).unwrap().with_jitter(0.0).unwrap()
}

/// A policy whose fields all differ from the default.
fn unlike_the_default() -> Policy {
    Policy::default()
        .with_backoff(backoff(ms(2), ms(3), 4.0).with_jitter(0.5).unwrap())
        .with_controller_deadline(ms(5))
        .with_prepare_deadline(ms(6))
        .with_start_deadline(ms(7))
        .with_update_deadline(ms(9))
        .with_shutdown_grace(None)
        .with_remove_deadline(ms(10))
        .with_inspect_deadline(ms(8))
        .with_shutdown_before_removal(true)
}

#[test]
fn each_setter_of_a_policy_changes_only_its_field() {
    let check = |change: fn(Policy) -> Policy, written: fn(&mut Policy)| {
        for before in [Policy::default(), unlike_the_default()] {
            let mut expected = before.clone();
            written(&mut expected);
            assert_eq!(change(before), expected);
        }
    };
    check(
        |policy| policy.with_backoff(backoff(ms(20), ms(30), 1.5)),
        |policy| policy.backoff = backoff(ms(20), ms(30), 1.5),
    );
    check(
        |policy| policy.with_controller_deadline(ms(50)),
        |policy| policy.controller_deadline = Some(ms(50)),
    );
    check(
        |policy| policy.with_prepare_deadline(ms(60)),
        |policy| policy.prepare_deadline = Some(ms(60)),
    );
    check(
        |policy| policy.with_start_deadline(ms(70)),
        |policy| policy.start_deadline = Some(ms(70)),
    );
    check(
        |policy| policy.with_update_deadline(ms(90)),
        |policy| policy.update_deadline = Some(ms(90)),
    );
    check(
        |policy| policy.with_shutdown_grace(ms(80)),
        |policy| policy.shutdown_grace = Some(ms(80)),
    );
    check(|policy| policy.with_shutdown_grace(None), |policy| policy.shutdown_grace = None);
    check(
        |policy| policy.with_remove_deadline(ms(100)),
        |policy| policy.remove_deadline = Some(ms(100)),
    );
    check(|policy| policy.with_inspect_deadline(None), |policy| policy.inspect_deadline = None);
    for before in [false, true] {
        let policy = Policy::default().with_shutdown_before_removal(before);
        assert_eq!(policy.shutdown_before_removal, before);
    }
}

#[test]
fn each_setter_of_a_backoff_changes_only_its_field() {
    for before in [Backoff::default(), backoff(ms(2), ms(3), 4.0)] {
        let facts = |backoff: Backoff| {
            (backoff.initial(), backoff.max(), backoff.factor(), backoff.jitter())
        };
        let (initial, max, factor, jitter) = facts(before);
        assert_eq!(facts(before.with_factor(1.5).unwrap()), (initial, max, 1.5, jitter));
        assert_eq!(facts(before.with_jitter(0.25).unwrap()), (initial, max, factor, 0.25));
        assert_eq!(facts(Backoff::new(ms(20), ms(30))).0, ms(20));
        assert_eq!(facts(Backoff::new(ms(20), ms(30))).1, ms(30));
    }
}

#[test]
fn a_delay_grows_by_the_factor_up_to_the_maximum_and_is_at_least_a_millisecond() {
    let delays = |backoff: Backoff, chance| {
        [0, 1, 2, 3, 9, u32::MAX].map(|retries| backoff.delay(retries, chance).as_millis())
    };
    let tripled = backoff(ms(100), ms(2_000), 3.0);
    assert_eq!(delays(tripled, 1.0), [100, 300, 900, 2_000, 2_000, 2_000]);
    assert_eq!(delays(tripled, 0.5), [50, 150, 450, 1_000, 1_000, 1_000]);
    assert_eq!(delays(tripled, 0.333), [33, 99, 299, 666, 666, 666]);
    assert_eq!(delays(tripled, 0.0), [1; 6]);
    // An initial delay of zero never grows.
    assert_eq!(delays(backoff(ms(0), ms(2_000), 3.0), 1.0), [1; 6]);
    assert_eq!(delays(backoff(ms(100), ms(0), 3.0), 1.0), [1; 6]);
    assert_eq!(delays(backoff(ms(100), ms(2_000), 1.0), 1.0), [100; 6]);
}

#[test]
fn a_delay_grows_from_the_exact_initial_value_and_is_rounded_last() {
    let delay = |micros, retries| {
        let initial = Duration::from_micros(micros);
        backoff(initial, Duration::from_secs(30), 2.0).delay(retries, 1.0).as_millis()
    };
    assert_eq!([0, 1, 2, 3].map(|retries| delay(1_900, retries)), [1, 3, 7, 15]);
    assert_eq!([0, 1, 2, 5, 10].map(|retries| delay(900, retries)), [1, 1, 3, 28, 921]);
    assert_eq!([1_023, 1_024, 5_000].map(|retries| delay(900, retries)), [30_000; 3]);
}

#[test]
fn a_factor_below_1_and_a_jitter_outside_of_0_to_1_are_refused() {
    let factor = |factor| Backoff::default().with_factor(factor).map(|backoff| backoff.factor());
    for sound in [1.0, 1.5, f64::MAX] {
        assert_eq!(factor(sound), Ok(sound));
    }
    for absurd in [0.999, 0.0, -2.0, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(factor(absurd), Err(BackoffError::Factor(absurd)));
    }
    assert!(matches!(factor(f64::NAN), Err(BackoffError::Factor(_))));

    let jitter = |jitter| Backoff::default().with_jitter(jitter).map(|backoff| backoff.jitter());
    for sound in [0.0, 0.5, 1.0] {
        assert_eq!(jitter(sound), Ok(sound));
    }
    for absurd in [-0.001, 1.001, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(jitter(absurd), Err(BackoffError::Jitter(absurd)));
    }
    assert!(matches!(jitter(f64::NAN), Err(BackoffError::Jitter(_))));
}

fn read(json: Value) -> Result<Policy, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

#[test]
fn a_policy_is_serialized_in_whole_milliseconds_and_deserialized_unchanged() {
    let stored = json!({
        "retry_initial_ms": 2, "retry_max_ms": 3, "retry_factor": 4.0, "retry_jitter": 0.5,
        "controller_deadline_ms": 5, "prepare_deadline_ms": 6, "start_deadline_ms": 7,
        "update_deadline_ms": 9, "shutdown_grace_ms": null, "remove_deadline_ms": 10,
        "inspect_deadline_ms": 8, "shutdown_before_removal": true,
    });
    assert_eq!(serde_json::to_value(unlike_the_default()).unwrap(), stored);
    assert_eq!(read(stored), Ok(unlike_the_default()));
    let fine = Policy::default().with_start_deadline(Duration::from_micros(1_900));
    assert_eq!(serde_json::to_value(fine).unwrap()["start_deadline_ms"], 1);
}

#[test]
fn a_missing_field_of_a_policy_has_its_default_and_an_invalid_one_is_refused() {
    assert_eq!(read(json!({})), Ok(Policy::default()));
    let jitter = json!({ "retry_jitter": 0.25 });
    let with_jitter = Policy::default().with_backoff(Backoff::default().with_jitter(0.25).unwrap());
    assert_eq!(read(jitter), Ok(with_jitter));
    assert_eq!(
        read(json!({ "retry_factor": 0.5 })).unwrap_err(),
        "retry_factor is 0.5: expected a finite number of at least 1"
    );
    assert_eq!(
        read(json!({ "retry_jitter": 2.0 })).unwrap_err(),
        "retry_jitter is 2: expected a number from 0 to 1"
    );
}
