//! Random choices: a list of small numbers from a seed. They are recorded, so that a failure can be
//! played again and made smaller.

/// Draws numbers and records them. After the end of a recorded list, it returns zeros: 0 is always
/// the simplest choice.
#[derive(Clone)]
pub(crate) struct Choices {
    drawn: Vec<u32>,
    at: usize,
    /// The state of a generator. `None` for a list that is played again.
    random: Option<u64>,
}

impl Choices {
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self { drawn: Vec::with_capacity(256), at: 0, random: Some(seed) }
    }

    pub(crate) fn again(drawn: &[u32]) -> Self {
        Self { drawn: drawn.to_vec(), at: 0, random: None }
    }

    /// A number below `below`.
    pub(crate) fn draw(&mut self, below: u32) -> u32 {
        if self.at == self.drawn.len() {
            let number = self.random.as_mut().map_or(0, |state| split_mix(state) >> 32);
            self.drawn.push(u32::try_from(number).unwrap() % below);
        }
        self.at += 1;
        self.drawn[self.at - 1] % below
    }

    /// One of these. The first is the simplest.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.draw(u32::try_from(of.len()).unwrap()) as usize].clone()
    }

    /// Whether an event happens that has this probability.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.draw(times) == times - 1
    }

    /// The numbers so far.
    pub(crate) fn into_drawn(mut self) -> Vec<u32> {
        self.drawn.truncate(self.at);
        self.drawn
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Makes a failing list smaller, as long as it fails.
pub(crate) fn shrink(mut row: Vec<u32>, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut left = 20_000;
    loop {
        let before = row.clone();
        for size in [64, 16, 8, 4, 3, 2, 1] {
            let mut at = row.len();
            while at > 0 {
                at = at.saturating_sub(size);
                let end = (at + size).min(row.len());
                let mut shorter = row.clone();
                shorter.drain(at..end);
                left -= 1;
                if fails(&shorter) {
                    row = shorter;
                }
            }
        }
        for at in 0..row.len() {
            for smaller in [0, row[at] / 2, row[at].saturating_sub(1)] {
                let mut duller = row.clone();
                duller[at] = smaller;
                left -= 1;
                if smaller < row[at] && fails(&duller) {
                    row = duller;
                    break;
                }
            }
        }
        if row == before || left < 0 {
            return row;
        }
    }
}
