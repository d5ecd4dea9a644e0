//! An agent that is killed again and again, at any moment.
//!
//! `ONWARD_KILLS` says how often, and `ONWARD_SEED` which moments; a failure tells the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

#[path = "support/agent.rs"]
mod agent;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use agent::{Home, task};

/// What a test without orders does.
const KILLS: u64 = 5;

/// How many tasks the file has at most: then the oldest are left out.
const MOST: usize = 12;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The numbers of a linear congruential generator: the same for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below `below`.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// How a task is expected to end; `None` if it runs until it is stopped.
type Code = Option<u64>;

/// A task that says when it starts and when it ends, and how it is to end.
fn random_task(name: &str, dice: &mut Dice) -> (String, Code) {
    let code = dice.roll(5);
    let lasts = dice.roll(500);
    let (script, code) = match dice.roll(4) {
        0 => ("while :; do sleep 0.05; done".to_owned(), None),
        1 => (format!("exit {code}"), Some(code)),
        _ => (format!("sleep 0.{lasts:03}; exit {code}"), Some(code)),
    };
    let ends = format!("trap 'echo >> $TEST_HOME/{name}.ends' EXIT; {script}");
    let mut text = task(name, &ends);
    if dice.roll(3) == 0 {
        text += "prepare = ['sh', '-c', 'sleep 0.05; echo >> $TEST_HOME/prepared']\n";
    }
    if dice.roll(4) == 0 {
        // It may end before it is ready, which is no good end whatever its code is.
        text += "ready = { command = ['true'], interval = '10ms' }\n";
    }
    (text, code)
}

#[test]
fn an_agent_that_is_killed_at_any_moment_starts_nothing_twice_and_forgets_nothing() {
    let kills = number("ONWARD_KILLS").unwrap_or(KILLS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ONWARD_KILLS={kills} ONWARD_SEED={seed}");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let mut tasks: Vec<(String, String, Code)> = Vec::new();
    let mut all: BTreeMap<String, Code> = BTreeMap::new();
    for round in 0..=kills {
        // Something is always just being started, and something removed.
        for index in 0..=dice.roll(3) {
            let name = format!("t{round}-{index}");
            let (text, code) = random_task(&name, &mut dice);
            all.insert(name.clone(), code);
            tasks.push((name, text, code));
        }
        tasks.drain(..tasks.len().saturating_sub(MOST));
        let mut file = String::new();
        for (_, text, _) in &tasks {
            file.write_str(text).unwrap();
        }
        home.save(&file);
        if round < kills {
            home.start(&[]);
            std::thread::sleep(Duration::from_millis(dice.roll(400)));
            home.kill();
        }
    }
    home.up(&[]);
    let is_settled = |state: &str, code: &Code| match code {
        None => state == "running",
        Some(_) => ["complete", "failed"].contains(&state),
    };
    home.wait(|home| {
        let Some(listed) = home.ps() else { return false };
        let state = |name: &str| {
            let task = listed.iter().find(|task| task["ID"] == name);
            task.map(|task| task["Status"]["State"].as_str().unwrap().to_owned())
        };
        listed.len() == tasks.len()
            && tasks
                .iter()
                .all(|(name, _, code)| is_settled(&state(name).unwrap_or_default(), code))
    });
    for (name, _, code) in &tasks {
        let listed = home.task(name).unwrap();
        assert_eq!(home.starts(name), 1, "{name}: {listed:#}");
        if let Some(code) = code {
            assert_eq!(
                listed["Status"]["ContainerStatus"]["ExitCode"], *code,
                "{name}: {listed:#}"
            );
            assert_eq!(home.read(&format!("{name}.ends")).lines().count(), 1, "{name}");
        }
    }
    for name in all.keys() {
        assert!(home.starts(name) <= 1, "{name} was started {} times", home.starts(name));
    }
    // What is no longer in the file is gone, and what is has its directory.
    let mut dirs: Vec<_> = std::fs::read_dir(home.path("state/tasks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    dirs.sort();
    let mut names: Vec<_> = tasks.iter().map(|(name, _, _)| name.clone()).collect();
    names.sort();
    assert_eq!(dirs, names);
    let running = tasks.iter().filter(|(_, _, code)| code.is_none()).count();
    let keepers = home.alive().iter().filter(|(_, line)| line.contains("--keep")).count();
    assert_eq!(keepers, running, "{:?}", home.alive());
    home.save("task = []\n");
    home.wait(|home| home.ps() == Some(Vec::new()));
    assert_eq!(home.alive(), []);
}
