//! Times, as ratios: what is compared is measured in turns, round after round, so that whatever
//! else the machine does meets all of it alike.

use std::time::Duration;

/// What is measured: gives how long it took.
pub(crate) type Measured<'a> = Box<dyn FnMut() -> Duration + 'a>;

/// What each of several took, round by round.
#[derive(Debug)]
pub(crate) struct Rounds(Vec<Vec<f64>>);

/// Measures each of these, in turns, so many rounds.
pub(crate) fn measure(rounds: usize, mut each: Vec<Measured<'_>>) -> Rounds {
    // Once for the caches.
    for one in &mut each {
        one();
    }
    let round = |_| each.iter_mut().map(|one| one().as_secs_f64()).collect();
    Rounds((0..rounds).map(round).collect())
}

impl Rounds {
    /// The median of what the one of this number took, in seconds.
    pub(crate) fn seconds(&self, one: usize) -> f64 {
        median(self.of(one).collect())
    }

    /// By how much the one took longer than the other: the median of the rounds' ratios.
    pub(crate) fn ratio(&self, one: usize, other: usize) -> f64 {
        median(self.of(one).zip(self.of(other)).map(|(one, other)| one / other).collect())
    }

    fn of(&self, one: usize) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(move |round| round.get(one)).copied()
    }
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
