#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::wire::Peer;

const S: Duration = Duration::from_secs(1);

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn managers(addresses: &[&str]) -> Managers {
    Managers::new(addresses.iter().map(|text| address(text)))
}

fn peers(addresses: &[&str]) -> Vec<WeightedPeer> {
    let peer = |addr: &&str| Peer { node_id: String::new(), addr: (*addr).to_owned() };
    addresses.iter().map(|addr| WeightedPeer { peer: Some(peer(addr)), weight: 1 }).collect()
}

#[track_caller]
fn check(managers: &Managers, expected: &str, at: Duration) {
    assert_eq!(managers.next(), Some(Attempt { address: address(expected), at }));
}

#[test]
fn another_manager_is_tried_at_once() {
    let mut managers = managers(&["a", "b", "c"]);
    check(&managers, "a", Duration::ZERO);
    managers.opened();
    managers.failed(S, 0.5);
    check(&managers, "b", Duration::ZERO);
    managers.failed(S, 0.5);
    check(&managers, "c", Duration::ZERO);
}

#[test]
fn each_round_waits_longer_and_at_most_8_s() {
    let mut managers = managers(&["a", "b"]);
    let mut delays = Vec::new();
    for _ in 0..9 {
        managers.failed(S, 1.0);
        managers.failed(S, 1.0);
        let at = managers.next().unwrap().at;
        delays.push(at.checked_sub(S).unwrap().as_millis());
    }
    assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 8000, 8000]);
    managers.failed(S, 0.0);
    managers.failed(S, 0.0);
    check(&managers, "a", S * 5);
    managers.opened();
    managers.failed(S, 1.0);
    managers.failed(S, 1.0);
    check(&managers, "a", S + Duration::from_millis(100));
}

#[test]
fn a_fourth_session_in_8_s_waits() {
    let mut managers = managers(&["a"]);
    for second in 1..=3 {
        managers.opening(S * second);
        managers.opened();
        managers.failed(S * second, 0.0);
    }
    check(&managers, "a", S + PERIOD);
    managers.opening(S + PERIOD);
    check(&managers, "a", S * 2 + PERIOD);
}

#[test]
fn the_current_manager_stays_the_first() {
    let mut managers = managers(&["a", "b"]);
    managers.failed(S, 0.0);
    managers.update(&peers(&["a", "0.0.0.0:2377", "b", "c", "no address"]));
    check(&managers, "b", Duration::ZERO);
    managers.failed(S, 0.0);
    check(&managers, "c", Duration::ZERO);
    managers.update(&peers(&["0.0.0.0:2377"]));
    check(&managers, "c", Duration::ZERO);
    managers.update(&peers(&["d"]));
    check(&managers, "d", Duration::ZERO);
}

#[test]
fn without_managers_there_is_no_attempt() {
    let mut managers = managers(&[]);
    managers.failed(S, 0.0);
    assert_eq!(managers.next(), None);
}
