//! The managers of the swarm: which one to connect to next, and after which delay.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use onward::agent::policy::Backoff;

use crate::connection::Address;
use crate::wire::WeightedPeer;

/// The delays between rounds: 100 ms, 200 ms and so on, up to 8 s.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(8));

/// A manager allows this many sessions of one node…
const SESSIONS: usize = 3;

/// …in this time. It refuses further ones.
const PERIOD: Duration = Duration::from_millis(8_200);

/// The known managers of a swarm. It has no clock: each time is a duration since any moment.
///
/// If a connection fails, the next manager is tried at once. When all of them have failed, there is
/// a delay before the next round.
#[derive(Debug)]
pub struct Managers {
    /// The next one to try is the first.
    known: VecDeque<Address>,
    /// The managers that have failed in this round.
    failed: BTreeSet<String>,
    /// The number of rounds without a session.
    rounds: u32,
    /// When the next attempt may begin.
    not_before: Duration,
    /// When the last sessions were opened.
    sessions: VecDeque<Duration>,
}

/// The next attempt to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The manager.
    pub address: Address,
    /// When to connect.
    pub at: Duration,
}

impl Managers {
    /// Starts with these managers.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = Address>) -> Self {
        Self {
            known: known.into_iter().collect(),
            failed: BTreeSet::new(),
            rounds: 0,
            not_before: Duration::ZERO,
            sessions: VecDeque::new(),
        }
    }

    /// Takes the managers of a session message. Addresses that nobody can connect to are skipped.
    /// The current manager stays the first one to try. If no address is left, nothing changes.
    pub fn update(&mut self, managers: &[WeightedPeer]) {
        let peers = managers.iter().filter_map(|manager| manager.peer.as_ref());
        let mut new: VecDeque<Address> =
            peers.filter_map(|peer| peer.addr.parse().ok()).filter(Address::is_specified).collect();
        if new.is_empty() {
            return;
        }
        if let Some(at) = self.known.front().and_then(|now| new.iter().position(|new| new == now)) {
            new.rotate_left(at);
        }
        self.known = new;
    }

    /// Returns the next attempt. `None` if no manager is known.
    #[must_use]
    pub fn next(&self) -> Option<Attempt> {
        let address = self.known.front()?.clone();
        let allowed = match self.sessions.front() {
            Some(first) if self.sessions.len() >= SESSIONS => first.saturating_add(PERIOD),
            _ => Duration::ZERO,
        };
        Some(Attempt { address, at: self.not_before.max(allowed) })
    }

    /// A session is being opened. It counts even if it fails.
    pub fn opening(&mut self, now: Duration) {
        self.sessions.push_back(now);
        while self.sessions.len() > SESSIONS {
            self.sessions.pop_front();
        }
    }

    /// The current manager has accepted a session.
    pub fn opened(&mut self) {
        self.rounds = 0;
        self.failed.clear();
    }

    /// The current manager has failed: it cannot be reached, it refuses, or its session is lost. The
    /// next one is tried. `random` is from 0 to 1.
    pub fn failed(&mut self, now: Duration, random: f64) {
        let Some(failed) = self.known.pop_front() else { return };
        self.failed.insert(failed.to_string());
        self.known.push_back(failed);
        let next = self.known.iter().position(|next| !self.failed.contains(&next.to_string()));
        if let Some(next) = next {
            self.known.rotate_left(next);
            return;
        }
        self.failed.clear();
        // From half of the delay to all of it, so that workers do not come at the same time.
        self.not_before = now.saturating_add(BACKOFF.delay(self.rounds, 0.5 + random / 2.0));
        self.rounds = self.rounds.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
