//! An agent that is killed or stopped, again and again, while a few names are used for many tasks.
//!
//! `ONWARD_KILLS` is the number of rounds, and `ONWARD_SEED` selects the moments. A failure shows
//! the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/dice.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use agent::Home;
use dice::{Dice, number};
use rustix::process::Signal;
use serde_json::Value;

/// The number of rounds in a test without `ONWARD_KILLS`.
const ROUNDS: u64 = 5;

/// The names. Each is used for many tasks, one after the other.
const NAMES: [&str; 5] = ["ant", "bee", "cat", "dog", "elk"];

/// After this many rounds, the agent may settle, and everything is checked.
const LOOK: u64 = 10;

/// The number of the definition that each name has in the file. No two definitions are equal.
type File = BTreeMap<&'static str, (u64, String)>;

/// Returns a definition. Its process records its number, and holds a lock so that a second process
/// of the same name is detected in any case.
fn definition(name: &str, number: u64, dice: &mut Dice) -> String {
    let work = match dice.roll(5) {
        // It ignores the stop signal.
        0 => "trap '' TERM; while :; do sleep 0.05; done".to_owned(),
        1 => format!("sleep 0.{:03}; exit {}", dice.roll(500), dice.roll(3)),
        _ => "while :; do sleep 0.05; done".to_owned(),
    };
    let script = format!(
        "exec 9>>$TEST_HOME/{name}.lock; flock -n 9 || echo {name} {number} >> $TEST_HOME/twice; \
         echo {number} >> $TEST_HOME/{name}.starts; {work}"
    );
    let mut text = format!(
        "[[task]]\nname = '{name}'\ncommand = ['sh', '-c', \"\"\"{script}\"\"\"]\nstop_grace = '300ms'\n"
    );
    if dice.roll(3) == 0 {
        writeln!(text, "prepare = ['sleep', '0.{:03}']", dice.roll(600)).unwrap();
    }
    if dice.roll(3) == 0 {
        text += "ready = { command = ['true'], interval = '10ms' }\n";
    }
    text
}

fn save(home: &Home, file: &File) {
    // Replace the file as a whole, because half a file would be another set of tasks.
    let text: String = file.values().map(|(_, text)| text.as_str()).collect();
    std::fs::write(home.path("new"), if text.is_empty() { "task = []" } else { &text }).unwrap();
    std::fs::rename(home.path("new"), home.path("tasks.toml")).unwrap();
}

/// Returns the number of a listed task's definition.
fn shown(task: &Value) -> u64 {
    let script = task["Spec"]["ContainerSpec"]["Command"][2].as_str().unwrap();
    let number = script.split("; echo ").nth(1).unwrap().split(' ').next().unwrap();
    number.parse().unwrap()
}

/// Waits until no task is changing any more, and returns the tasks.
#[track_caller]
fn settled(home: &Home, file: &File) -> Vec<Value> {
    let mut tasks = Vec::new();
    home.wait(|home| {
        tasks = home.ps().unwrap_or_default();
        let names: BTreeSet<_> = tasks.iter().map(|task| task["ID"].as_str().unwrap()).collect();
        let over = ["running", "complete", "failed", "shutdown", "rejected"];
        names == file.keys().copied().collect()
            && tasks.iter().all(|task| {
                let state = task["Status"]["State"].as_str().unwrap();
                let is_wanted = task["DesiredState"] != "shutdown" || state != "running";
                over.contains(&state) && is_wanted && task["DesiredState"] != "remove"
            })
    });
    tasks
}

/// Checks what must be true when the agent has settled.
fn check(home: &Home, file: &File, stopped: &BTreeSet<&str>, again: &BTreeMap<u64, u64>) {
    let tasks = settled(home, file);
    assert_eq!(home.read("twice"), "", "two processes of one name at the same time");
    for task in &tasks {
        let name = task["ID"].as_str().unwrap();
        let state = task["Status"]["State"].as_str().unwrap();
        let starts = home.read(&format!("{name}.starts"));
        if state == "running" {
            let runs: u64 = starts.lines().last().unwrap().parse().unwrap();
            assert_eq!(shown(task), runs, "{name} runs another definition than is shown");
        }
        assert!(!stopped.contains(name) || state != "running", "{name} was stopped: {task:#}");
        let mut counts = BTreeMap::<u64, u64>::new();
        for number in starts.lines().map(|line| line.parse().unwrap()) {
            *counts.entry(number).or_default() += 1;
        }
        for (number, count) in counts {
            let most = 1 + again.get(&number).copied().unwrap_or_default();
            assert!(count <= most, "{name}: definition {number} was started {count} times");
        }
    }
}

#[test]
fn a_reused_name_has_at_most_one_process_which_is_the_one_that_is_shown() {
    let rounds = number("ONWARD_KILLS").unwrap_or(ROUNDS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ONWARD_KILLS={rounds} ONWARD_SEED={seed}");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let mut file = File::new();
    let mut next = 0;
    // The names for which `stop` has returned.
    let mut stopped = BTreeSet::new();
    // How often an agent has stopped a definition because the agent ended. Each time, the
    // definition is started again.
    let mut again = BTreeMap::<u64, u64>::new();
    for round in 1..=rounds {
        let is_stopping = dice.roll(3) == 0;
        home.start(&["--on-exit", if is_stopping { "stop" } else { "leave" }]);
        for _ in 0..=dice.roll(4) {
            let name = NAMES[usize::try_from(dice.roll(5)).unwrap()];
            match (file.contains_key(name), dice.roll(4)) {
                (true, 0) => {
                    file.remove(name);
                    stopped.remove(name);
                }
                (true, 1) => {
                    if home.output(&["stop", name]).status.success() {
                        stopped.insert(name);
                    }
                }
                // Another task, or a change of the one that is there.
                _ => {
                    next += 1;
                    file.insert(name, (next, definition(name, next, &mut dice)));
                }
            }
            save(&home, &file);
            std::thread::sleep(Duration::from_millis(dice.roll(250)));
        }
        if round % LOOK == 0 || round == rounds {
            home.wait(|home| home.ps().is_some());
            check(&home, &file, &stopped, &again);
        }
        if dice.roll(3) == 0 {
            home.signal(Signal::TERM);
            // A second agent must not leave anything behind either.
            if dice.roll(4) == 0 {
                std::thread::sleep(Duration::from_millis(dice.roll(100)));
                home.signal(Signal::KILL);
            }
        } else {
            home.signal(Signal::KILL);
        }
        home.ended();
        if is_stopping {
            for (number, _) in file.values() {
                *again.entry(*number).or_default() += 1;
            }
        }
    }
    home.start(&[]);
    home.wait(|home| home.ps().is_some());
    check(&home, &file, &stopped, &again);
    for (name, (number, _)) in &file {
        let task = home.task(name).unwrap();
        let is_shown = shown(&task) == *number;
        // A task keeps its old definition if it had started or was stopped before the change.
        let keeps_old = home.starts(name) > 0 || stopped.contains(name);
        assert!(is_shown || keeps_old, "{name} was lost: {task:#}");
    }
    save(&home, &File::new());
    home.wait(|home| home.ps() == Some(Vec::new()));
    assert_eq!(home.alive(), []);
    assert_eq!(std::fs::read_dir(home.path("state/tasks")).unwrap().count(), 0);
}
