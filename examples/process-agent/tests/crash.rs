//! An agent that is killed at random moments, again and again.
//!
//! `ONWARD_KILLS` is the number of kills, and `ONWARD_SEED` selects the moments. A failure shows
//! the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use agent::{Home, task};
use dice::{Dice, number};
use rustix::process::{Pid, Signal, kill_process};

/// The number of kills in a test without `ONWARD_KILLS`.
const KILLS: u64 = 5;

/// The most tasks in the file. The oldest ones are removed first.
const MOST: usize = 20;

/// The expected exit code of a task. `None` if it runs until it is stopped.
type Code = Option<u64>;

/// Returns a task that records its start and its end, and its expected end.
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
        // It may end before it is ready, and then it fails with any exit code.
        text += "ready = { command = ['true'], interval = '10ms' }\n";
    }
    (text, code)
}

/// Returns the keepers that have not started their workload yet.
fn on_their_way(home: &Home) -> Vec<i32> {
    let tasks = home.path("state/tasks");
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse() else { continue };
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0').skip(1).filter(|word| *word != "--keep");
        let dir = words.next().filter(|word| *word == "keeper").and_then(|_| words.next());
        let dir = dir.map(Path::new).filter(|dir| dir.starts_with(&tasks));
        if dir.is_some_and(|dir| !dir.join("keeper.json").exists()) {
            found.push(pid);
        }
    }
    found
}

/// Ignores a process that has ended.
fn signal(pid: i32, signal: Signal) {
    _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

#[test]
fn an_agent_that_is_killed_at_any_moment_starts_no_task_twice_and_forgets_none() {
    let kills = number("ONWARD_KILLS").unwrap_or(KILLS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ONWARD_KILLS={kills} ONWARD_SEED={seed}");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let mut tasks: Vec<(String, String, Code)> = Vec::new();
    let mut all: BTreeMap<String, Code> = BTreeMap::new();
    let mut held = Vec::new();
    for round in 0..=kills {
        // At any moment, some tasks are being started, and some removed.
        for index in 0..=dice.roll(8) {
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
        home.start(&[]);
        if round == kills {
            break;
        }
        let moment = Instant::now() + Duration::from_millis(dice.roll(400));
        if held.is_empty() && dice.roll(2) == 0 {
            // The worst moment: a keeper is starting, the next agent does not see it, and it
            // continues when that agent is running.
            while held.is_empty() && Instant::now() < moment {
                held = on_their_way(&home);
            }
            for keeper in &held {
                signal(*keeper, Signal::STOP);
            }
        } else {
            std::thread::sleep(moment.saturating_duration_since(Instant::now()));
            held.drain(..).for_each(|keeper| signal(keeper, Signal::CONT));
        }
        home.kill();
    }
    held.drain(..).for_each(|keeper| signal(keeper, Signal::CONT));
    home.wait(|home| home.ps().is_some());
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
    // Removed tasks have no directory, and all others have one.
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
