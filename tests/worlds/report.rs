//! Which rules a trace breaks, and how.

use std::collections::BTreeMap;

/// The rules that were broken, each with what was seen.
#[derive(Clone, Default, Debug)]
pub(crate) struct Report(BTreeMap<u8, Vec<String>>);

impl Report {
    pub(crate) fn broken(&mut self, rule: u8, at: u64, what: impl Into<String>) {
        self.0.entry(rule).or_default().push(format!("at {at}: {}", what.into()));
    }

    pub(crate) fn breaks(&self, rule: u8) -> bool {
        self.0.contains_key(&rule)
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = u8> {
        self.0.keys().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first things that were seen, rule by rule.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.iter().flat_map(|(rule, seen)| {
            seen.iter().take(3).map(move |what| format!("rule {rule}: {what}"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
