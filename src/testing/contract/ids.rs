//! The ids of the tasks: different in every run, equal for the same seed.

use super::clause::Clause;
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU64, Ordering};
use std::hash::{BuildHasher, RandomState};

/// Makes the ids of one run.
pub(super) struct Ids {
    /// The seed, in base 36.
    run: String,
    next: AtomicU64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { run: base_36(seed), next: AtomicU64::new(1) }
    }

    /// An id that was not used in this run. No id is a prefix of another one. It contains a
    /// dot, like many ids of services: an executor that calls `Path::with_extension` on it
    /// would cut the id.
    pub(super) fn next(&self, clause: Clause) -> String {
        format!("{clause}-{}.{:05}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// An id of this run that no task gets. The kit uses it to ask which definitions exist.
    pub(super) fn unused(&self, clause: Clause) -> String {
        format!("{clause}-{}.00000", self.run)
    }
}

/// A random seed, from the keys of the standard library's hash maps. It is short, so that
/// the ids are short.
pub(super) fn random_seed() -> u64 {
    const BELOW: u64 = 36_u64.pow(8);
    RandomState::new().hash_one("seed") % BELOW
}

fn base_36(mut number: u64) -> String {
    let mut digits = String::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.insert(0, char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_different_for_each_seed() {
        assert_eq!(base_36(0), "0");
        assert_eq!(base_36(36 * 36 + 35), "10z");
        for clause in Clause::ALL {
            let longest = Ids { run: base_36(u64::MAX), next: AtomicU64::new(99_999_999) };
            let id = longest.next(*clause);
            assert!(id.len() <= 63, "{id}");
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(id.chars().all(|c| letters(c) || c == '-' || c == '.'));
        }
        assert_ne!(random_seed(), random_seed());
    }
}
