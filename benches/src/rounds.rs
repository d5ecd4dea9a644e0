//! Times as ratios. The candidates are measured in turns, round after round, so that other load on
//! the machine affects all of them equally.

use std::time::Duration;

/// A candidate: runs once and returns the time.
pub(crate) type Measured<'a> = Box<dyn FnMut() -> Duration + 'a>;

/// The times of each candidate, round by round.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<Vec<f64>>);

/// Measures each candidate in turns, for this many rounds.
pub(crate) fn measure(rounds: usize, mut each: Vec<Measured<'_>>) -> Rounds {
    // One run to fill the caches.
    for one in &mut each {
        one();
    }
    let round = |_| each.iter_mut().map(|one| one().as_secs_f64()).collect();
    Rounds((0..rounds).map(round).collect())
}

impl Rounds {
    /// Returns the median time of a candidate in seconds.
    pub(crate) fn seconds(&self, one: usize) -> f64 {
        median(self.of(one).collect())
    }

    /// Returns how many times as long one candidate took as the other: the median of the rounds'
    /// ratios.
    pub(crate) fn ratio(&self, one: usize, other: usize) -> f64 {
        median(self.of(one).zip(self.of(other)).map(|(one, other)| one / other).collect())
    }

    fn of(&self, one: usize) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(move |round| round.get(one)).copied()
    }
}

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
