//! Exhaustive exploration of the decision cores with the model checker `stateright`.
//!
//! A model has the real core and a simulated world around it. The checker tries every possible event
//! in every state. If a rule is broken, the state has its text in `broken`. So one property finds
//! all broken rules, with the shortest sequence of events.

use alloc::string::String;
use core::fmt::Debug;
use core::hash::Hash;
use core::time::Duration;
use stateright::{Checker, Expectation, Model, Property};
use std::time::Instant;

/// A state that can be broken.
pub(super) trait Judged {
    /// The broken rule, if there is one.
    fn broken(&self) -> Option<&str>;
}

/// The one property of a model: every rule holds.
pub(super) fn every_rule_holds<M: Model<State: Judged>>() -> Property<M> {
    Property {
        expectation: Expectation::Always,
        name: "every rule holds",
        condition: |_: &M, state: &M::State| state.broken().is_none(),
    }
}

/// The number of events more than usual.
fn deeper() -> usize {
    let Ok(steps) = std::env::var("ONWARD_EXPLORE") else { return 0 };
    steps.parse().unwrap_or_else(|_| panic!("ONWARD_EXPLORE is a number of steps, not {steps:?}"))
}

/// Explores all sequences of events up to a length. Fails with the shortest one that breaks a rule.
pub(super) fn explore<M>(name: &str, model: M, depth: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Judged + Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let begun = Instant::now();
    let builder = model.checker().threads(2).timeout(Duration::from_secs(900));
    let checker = builder.target_max_depth(depth + deeper()).spawn_bfs().join();
    let (states, transitions) = (checker.unique_state_count(), checker.state_count());
    let (reached, took) = (checker.max_depth(), begun.elapsed());
    println!("{name}: {states} states, {transitions} transitions, depth {reached}, in {took:.1?}");
    if let Some(path) = checker.discovery("every rule holds") {
        let broken = path.last_state().broken().map(String::from);
        let mut text = String::new();
        for (state, action) in path.into_vec() {
            text += &std::format!("{state:?}\n");
            if let Some(action) = action {
                text += &std::format!("  -> {action:?}\n");
            }
        }
        panic!("{name}: {broken:?}\n{text}");
    }
    assert!(took < Duration::from_secs(900), "{name}: the exploration was cut short");
}
