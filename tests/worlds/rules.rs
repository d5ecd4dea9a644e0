//! The rules, in groups, each of which sees every entry of a trace.

use super::facts::Facts;
use super::input::{Event, Printed};
use super::report::Report;

pub(crate) mod answers;
pub(crate) mod applied;
pub(crate) mod calls;
pub(crate) mod listeners;
pub(crate) mod progress;
pub(crate) mod reconcile;
pub(crate) mod removal;

/// A group of rules.
pub(crate) trait Rule {
    /// An entry comes. The facts are those before it.
    fn before(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        let _ = (facts, event, report);
    }

    /// An entry has come. The facts are those after it.
    fn after(&mut self, facts: &Facts<'_>, event: &Event, report: &mut Report) {
        let _ = (facts, event, report);
    }

    /// Nothing happens from now until then: this millisecond is over.
    fn pass(&mut self, facts: &Facts<'_>, to: u64, report: &mut Report) {
        let _ = (facts, to, report);
    }

    /// The world has ended.
    fn end(&mut self, facts: &Facts<'_>, printed: &Printed, report: &mut Report) {
        let _ = (facts, printed, report);
    }
}

pub(crate) fn all() -> Vec<Box<dyn Rule>> {
    vec![
        Box::<calls::Calls>::default(),
        Box::<listeners::Listeners>::default(),
        Box::<applied::Applied>::default(),
        Box::<removal::Workloads>::default(),
        Box::<reconcile::Strays>::default(),
        Box::<answers::Answers>::default(),
        Box::<progress::Progress>::default(),
    ]
}
