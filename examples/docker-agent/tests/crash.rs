//! An agent that is killed at random moments, again and again, with containers in each state.
//!
//! `ONWARD_KILLS` is the number of kills, and `ONWARD_SEED` selects the moments. A failure shows
//! the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use bollard::query_parameters::ListContainersOptions;
use docker_agent::engine::Engine;
use docker_agent::labels;
use support::engine::{IMAGE, engine};
use support::program::Home;

/// The number of kills in a test without `ONWARD_KILLS`.
const KILLS: u64 = 3;

/// The most tasks in the file. The oldest ones are removed first.
const MOST: usize = 8;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// A linear congruential generator: a seed gives the same rolls on each machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        let factor = 6_364_136_223_846_793_005;
        self.0 = self.0.wrapping_mul(factor).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A task that records its start, and its expected exit code. `None` if it runs until it is stopped.
fn random_task(name: &str, starts: &Path, dice: &mut Dice) -> (String, String, Option<u64>) {
    let code = dice.roll(5);
    let tenths = dice.roll(8);
    let (script, code) = match dice.roll(4) {
        0 | 1 => ("while :; do sleep 0.1; done".to_owned(), None),
        2 => (format!("exit {code}"), Some(code)),
        _ => (format!("sleep 0.{tenths}; exit {code}"), Some(code)),
    };
    let starts = starts.display();
    let mut text = format!(
        "[[task]]\nname = '{name}'\nimage = '{IMAGE}'\nstop_grace = '0s'\n\
         args = ['sh', '-c', 'echo >> /starts/{name}; {script}']\n\
         mounts = [{{ type = 'bind', source = '{starts}', target = '/starts' }}]\n"
    );
    if code.is_none() && dice.roll(3) == 0 {
        // It stays in STARTING for a while.
        text += "healthcheck = { test = ['CMD', 'true'], interval = '700ms' }\n";
    }
    (name.to_owned(), text, code)
}

/// The names of the agent's containers, also of those that have ended.
async fn containers(engine: &Engine, agent: &str) -> Vec<String> {
    let filters = Some([("label".to_owned(), vec![format!("{}={agent}", labels::AGENT)])].into());
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let listed = engine.client().await.unwrap().list_containers(Some(options)).await.unwrap();
    let mut tasks: Vec<_> =
        listed.into_iter().filter_map(|found| found.labels?.remove(labels::TASK)).collect();
    tasks.sort();
    tasks
}

#[tokio::test(flavor = "multi_thread")]
async fn no_container_is_lost_or_started_twice_however_often_the_agent_is_killed() {
    let Some(engine) = engine("no_container_is_lost_or_started_twice") else { return };
    let kills = number("ONWARD_KILLS").unwrap_or(KILLS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| std::process::id().into());
    println!("seed {seed}: ONWARD_SEED={seed} ONWARD_KILLS={kills} repeats it");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let starts = home.path("starts");
    fs::create_dir(&starts).unwrap();
    let mut tasks = Vec::new();
    for round in 0..kills {
        for index in 0..=dice.roll(3) {
            tasks.push(random_task(&format!("r{round}-{index}"), &starts, &mut dice));
        }
        tasks.drain(..tasks.len().saturating_sub(MOST));
        home.save(&tasks.iter().map(|(_, text, _)| &**text).collect::<String>());
        home.start();
        sleep(Duration::from_millis(dice.roll(1500)));
        home.kill();
    }
    home.start();
    for (name, _, code) in &tasks {
        let expected = match code {
            None => "running",
            Some(0) => "complete",
            Some(_) => "failed",
        };
        home.wait(&format!("{name} is {expected}"), |home| home.state(name) == expected);
        let found = &home.task(name)["Status"]["ContainerStatus"]["ExitCode"];
        assert!(code.is_none_or(|code| *found == code), "{name}: {found}, not {code:?}");
    }
    let mut names: Vec<_> = tasks.iter().map(|(name, ..)| name.clone()).collect();
    names.sort();
    let listed = |home: &Home| home.tasks().map_or(0, |tasks| tasks.len());
    home.wait("only the tasks of the file are there", |home| listed(home) == names.len());
    let agent = home.agent_id();
    // Strays of killed agents are removed as soon as the agent has looked for them.
    for _ in 0..600 {
        if containers(&engine, &agent).await == names {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(containers(&engine, &agent).await, names, "each task has one container");
    for entry in fs::read_dir(&starts).unwrap() {
        let path = entry.unwrap().path();
        let count = fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(count, 1, "{} started {count} times", path.display());
    }
    home.save("task = []\n");
    home.wait("all tasks are removed", |home| home.tasks().is_some_and(|tasks| tasks.is_empty()));
    assert_eq!(containers(&engine, &agent).await, Vec::<String>::new());
    home.kill();
}
