//! Runs a world through the program and judges what it prints.

use super::facts::Facts;
use super::input::{Printed, World};
use super::report::Report;
use super::{generator, rules, shrink};
use crate::conformance;
use serde_json::Value;
use std::panic::catch_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long two runs may take, each of which takes some milliseconds: an agent that
/// spins must not hang the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the program prints for this line.
pub(crate) fn printed(line: &str) -> String {
    let mut output = Vec::new();
    conformance::run(conformance::world, line.as_bytes(), &mut output)
        .expect("it is written to memory");
    String::from_utf8(output).expect("JSON is UTF-8")
}

/// Judges the world of a seed.
pub(crate) fn of_seed(seed: u64) -> Report {
    of(&generator::world(seed))
}

/// Judges a world, which is run twice.
pub(crate) fn of(world: &Value) -> Report {
    let line = world.to_string();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send([printed(&line), printed(&line)]));
    let mut report = Report::default();
    match receiver.recv_timeout(PATIENCE) {
        Ok([output, again]) => {
            report = judge(world, &output);
            if output != again {
                report.broken(0, 0, format!("another time it prints {again}"));
            }
        }
        Err(RecvTimeoutError::Timeout) => report.broken(0, 0, "the program does not end"),
        Err(RecvTimeoutError::Disconnected) => report.broken(0, 0, "the program has panicked"),
    }
    report
}

/// The smallest world found that breaks this rule, with its trace.
pub(crate) fn shrunk(world: Value, rule: u8) -> String {
    let small = shrink::shrink(world, |smaller| of(smaller).breaks(rule));
    let trace = catch_unwind(|| printed(&small.to_string())).unwrap_or_default();
    let trace = trace.replace("},{\"at_ms\"", "},\n {\"at_ms\"");
    format!("{}\n{small}\n{trace}", of(&small).text())
}

/// Judges what was printed for a world.
pub(crate) fn judge(world: &Value, output: &str) -> Report {
    let mut report = Report::default();
    let name = &world["world"];
    let world: World = serde_json::from_value(world.clone()).expect("a world");
    let printed: Printed = match serde_json::from_str(output) {
        Ok(printed) => printed,
        Err(error) => {
            report.broken(0, 0, format!("{error}: {output}"));
            return report;
        }
    };
    if printed.world != *name {
        report.broken(0, 0, format!("the world is called {}", printed.world));
    }
    if !world.tears() {
        follow(&world, &printed, &mut report);
    }
    report
}

/// Follows a trace from its beginning to its end.
fn follow(world: &World, printed: &Printed, report: &mut Report) {
    let mut facts = Facts::new(world);
    let mut rules = rules::all();
    for event in &printed.trace {
        if event.at_ms < facts.now || event.at_ms > world.until_ms {
            return report.broken(0, facts.now, format!("{event:?} comes at a wrong time"));
        }
        if event.at_ms > facts.now {
            for rule in &mut rules {
                rule.pass(&facts, event.at_ms, report);
            }
            facts.advance(event.at_ms, report);
        }
        for rule in &mut rules {
            rule.before(&facts, event, report);
        }
        facts.apply(event, report);
        for rule in &mut rules {
            rule.after(&facts, event, report);
        }
    }
    for rule in &mut rules {
        rule.pass(&facts, world.until_ms, report);
    }
    facts.advance(world.until_ms + 1, report);
    for rule in &mut rules {
        rule.end(&facts, printed, report);
    }
    if printed.stored != facts.actual {
        report.broken(0, facts.now, "`stored` is not what was stored");
    }
    if printed.tasks.is_some() != facts.agent.is_some() {
        report.broken(0, facts.now, "`tasks` without an agent, or none of an agent");
    }
}
