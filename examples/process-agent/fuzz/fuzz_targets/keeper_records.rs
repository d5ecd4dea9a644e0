//! The files and messages of a keeper. The first byte selects the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use process_agent::keeper::fuzzing::{Kind, survives};

fuzz_target!(|input: &[u8]| {
    let [kind, text @ ..] = input else { return };
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    let is_same = survives(kind, text).unwrap_or(true);
    assert!(is_same, "{kind:?}: the value changed when it was written and read again");
});
