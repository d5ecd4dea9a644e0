//! An agent that is killed or asked to end, again and again, while the same few names are used
//! for one task after the other.
//!
//! `ONWARD_KILLS` says how often, and `ONWARD_SEED` which moments; a failure tells the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

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

/// What a test without orders does.
const ROUNDS: u64 = 5;

/// The names, each of which many tasks have, one after the other.
const NAMES: [&str; 5] = ["ant", "bee", "cat", "dog", "elk"];

/// After how many rounds the agent is let alone, and everything is looked at.
const LOOK: u64 = 10;

/// The definition that a name has in the file, by its number: no two are alike.
type File = BTreeMap<&'static str, (u64, String)>;

/// A definition. Its process holds a lock, so that a second one of the same name is noticed
/// whatever becomes of the first, and writes down its number.
fn definition(name: &str, number: u64, dice: &mut Dice) -> String {
    let work = match dice.roll(5) {
        // It is asked in vain to end.
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
    // As a whole: what is half written would be another file.
    let text: String = file.values().map(|(_, text)| text.as_str()).collect();
    std::fs::write(home.path("new"), if text.is_empty() { "task = []" } else { &text }).unwrap();
    std::fs::rename(home.path("new"), home.path("tasks.toml")).unwrap();
}

/// The number of the definition that a listed task has.
fn shown(task: &Value) -> u64 {
    let script = task["Spec"]["ContainerSpec"]["Command"][2].as_str().unwrap();
    let number = script.split("; echo ").nth(1).unwrap().split(' ').next().unwrap();
    number.parse().unwrap()
}

/// Waits until nothing is on its way any more, and returns the tasks.
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

/// What must be true whenever the agent was let alone.
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
            assert!(count <= most, "{name}: definition {number} began {count} times");
        }
    }
}

#[test]
fn a_name_that_is_used_again_and_again_has_one_process_at_most_and_the_one_that_is_shown() {
    let rounds = number("ONWARD_KILLS").unwrap_or(ROUNDS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ONWARD_KILLS={rounds} ONWARD_SEED={seed}");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let mut file = File::new();
    let mut next = 0;
    // The names for which `stop` has returned that they are stopped.
    let mut stopped = BTreeSet::new();
    // How often an agent has stopped a definition since it ended itself: as often it begins anew.
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
            // A second one must not leave anything behind either.
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
        // A task that had begun before its definition was changed goes on as it was.
        assert!(is_shown || home.starts(name) > 0, "{name} was lost: {task:#}");
    }
    save(&home, &File::new());
    home.wait(|home| home.ps() == Some(Vec::new()));
    assert_eq!(home.alive(), []);
    assert_eq!(std::fs::read_dir(home.path("state/tasks")).unwrap().count(), 0);
}
