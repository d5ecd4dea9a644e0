//! Join tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

use std::fs;

use swarm_worker::token::{JoinToken, RootDigest};

const DIGEST: &str = "1lc4bm427i2d4fgh94dxhil4rrwi8vnxwgoqch82zsk3mmrvkw";
const SECRET: &str = "bl0xm4f7ayzmij32uay2hpvcl";

#[track_caller]
fn check(text: &str, expected: &str) {
    let error = text.parse::<JoinToken>().unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(expected), "expected {expected:?} in: {text}");
    assert!(!text.contains(&SECRET[..8]), "{text}");
}

#[test]
fn tokens_of_both_versions_are_read() {
    for prefix in ["SWMTKN-1", "SWMTKN-2-0"] {
        let text = format!("{prefix}-{DIGEST}-{SECRET}");
        let token: JoinToken = format!(" {text}\n").parse().unwrap();
        assert_eq!(token.expose(), text);
        assert_eq!(token.digest().to_string(), DIGEST);
        assert!(!format!("{token:?}").contains(SECRET));
    }
}

#[test]
fn the_digest_is_the_hash_of_the_root_in_base_36() {
    let root = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rotation-old-root.pem"));
    let digest = RootDigest::of(&root.unwrap()).to_string();
    assert_eq!(digest, "3ttwmwomxbwlvxvaodyvavllm2bthdmcz1kvd4xxpt88c5p7j3");
    assert_eq!(
        RootDigest::of(b"").to_string(),
        "5oaq0bjhj6un82wg98mgigso5q7qlhc63je4gw7ivixqqhkd3p"
    );
}

#[test]
fn a_digest_with_zeros_at_its_start_keeps_its_length() {
    for number in 0_u32..200 {
        let digest = RootDigest::of(&number.to_be_bytes()).to_string();
        assert_eq!(digest.len(), 50, "{digest}");
        assert_eq!(digest.parse::<RootDigest>().unwrap().to_string(), digest);
    }
}

#[test]
fn every_wrong_token_is_told_what_is_wrong() {
    let whole = format!("SWMTKN-1-{DIGEST}-{SECRET}");
    check("", "is empty");
    check("  \n", "is empty");
    check(SECRET, "starts with SWMTKN-1-");
    check(&whole.to_lowercase(), "starts with SWMTKN-1-");
    check(&whole.replace("-1-", "-3-"), "another version");
    check(&format!("SWMTKN-1-{SECRET}"), "3 parts between its hyphens, not 4");
    check(&format!("{whole}-x"), "5 parts");
    check(&format!("SWMTKN-2-{DIGEST}-{SECRET}"), "4 parts between its hyphens, not 5");
    check(&format!("SWMTKN-2-1-{DIGEST}-{SECRET}"), "FIPS");
    check(&format!("SWMTKN-2-x-{DIGEST}-{SECRET}"), "must be 0 or 1");
    check(&whole.replace(DIGEST, &DIGEST[1..]), "49 characters, not 50");
    check(&whole.replace(DIGEST, &DIGEST.replace('4', "!")), "character 4 of the digest");
    check(&whole.replace(DIGEST, &DIGEST.to_uppercase()), "character 2 of the digest");
    check(&whole.replace(DIGEST, &"z".repeat(50)), "larger than any SHA-256 digest");
    check(&format!("SWMTKN-1-{DIGEST}-{SECRET}x"), "26 characters, not 25");
    check(&whole.replace(SECRET, &SECRET.to_uppercase()), "not one of 0-9 and a-z");
    check(&whole.replace(SECRET, &"\u{e4}".repeat(25)), "25 characters");
}

#[test]
fn a_token_cut_at_any_length_is_refused() {
    let whole = format!("SWMTKN-1-{DIGEST}-{SECRET}");
    for length in 0..whole.len() {
        check(&whole[..length], "token");
    }
}
