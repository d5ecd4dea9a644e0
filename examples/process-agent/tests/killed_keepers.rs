//! Keepers and launchers that are killed and stopped at random moments, also under an agent that
//! was started with `SIGCHLD` ignored.
//!
//! `ONWARD_KEEPERS` is the number of rounds, and `ONWARD_SEED` selects the moments. A failure shows
//! both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent::{Home, task};
use dice::{Dice, number};
use rustix::process::{Pid, Signal, kill_process};

/// The number of rounds in a test without `ONWARD_KEEPERS`.
const ROUNDS: u64 = 12;

/// The most tasks that a round starts.
const TASKS: u64 = 5;

/// Returns a task that records its start. Its processes have a variable with its name.
fn marked_task(name: &str, dice: &mut Dice) -> String {
    let script = match dice.roll(3) {
        0 => "sleep 0.2; exit 3",
        // The child is in its own session.
        1 => "setsid sleep 1000 & while :; do sleep 0.05; done",
        _ => agent::RUNS,
    };
    let mut text = task(name, script);
    writeln!(text, "env = {{ TASK_OF_TEST = '{name}' }}\nstop_grace = '2s'").unwrap();
    if dice.roll(3) == 0 {
        text += "prepare = ['sh', '-c', 'sleep 0.05']\n";
    }
    if dice.roll(3) == 0 {
        text += "ready = { command = ['true'], interval = '10ms' }\n";
    }
    text
}

/// Returns the processes of the agent's keepers (with `--keep`) or of their launchers.
fn keepers(home: &Home, keep: bool) -> Vec<i32> {
    let alive = home.alive();
    let is_one = |line: &str| {
        let mut words = line.split(' ').skip(1);
        words.next() == Some("keeper") && (words.next() == Some("--keep")) == keep
    };
    alive.into_iter().filter(|(_, line)| is_one(line)).map(|(pid, _)| pid).collect()
}

/// Returns the processes of each task's workload, by the variable that only they have.
fn workloads(home: &Home) -> BTreeMap<String, Vec<i32>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (pid, _) in home.alive() {
        let environment = fs::read(PathBuf::from(format!("/proc/{pid}/environ")));
        let environment = environment.unwrap_or_default();
        let mut entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let name = entries.find_map(|entry| Some(entry.strip_prefix("TASK_OF_TEST=")?.to_owned()));
        if let Some(name) = name {
            found.entry(name).or_default().push(pid);
        }
    }
    found
}

/// Ignores a process that has ended.
fn signal(pid: i32, signal: Signal) {
    _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Starts an agent whose signals get the dispositions of `env` arguments.
fn start(home: &mut Home, dispositions: &[&str]) {
    let agent = home.command(&["run", "tasks.toml"]);
    let mut command = Command::new("env");
    command.args(dispositions).arg(agent.get_program()).args(agent.get_args());
    command.envs(agent.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(agent.get_current_dir().unwrap());
    let file = |name| {
        let path = home.path(name);
        Stdio::from(fs::OpenOptions::new().create(true).append(true).open(path).unwrap())
    };
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    home.agent = Some(command.spawn().unwrap());
}

const ENDED: [&str; 5] = ["complete", "failed", "rejected", "shutdown", "remove"];

/// Checks that no ended task has a process, and that no task was started twice.
#[track_caller]
fn check(home: &Home, names: &[String]) {
    let Some(listed) = home.ps() else { return };
    let runs = workloads(home);
    for task in &listed {
        let name = task["ID"].as_str().unwrap();
        let state = task["Status"]["State"].as_str().unwrap();
        if ENDED.contains(&state) {
            assert_eq!(runs.get(name), None, "{name} is {state} and runs: {task:#}");
        }
    }
    for name in names {
        assert!(home.starts(name) <= 1, "{name} was started {} times", home.starts(name));
    }
}

#[test]
fn with_killed_and_stopped_keepers_no_task_ends_while_it_runs_and_none_starts_twice() {
    let rounds = number("ONWARD_KEEPERS").unwrap_or(ROUNDS);
    let seed = number("ONWARD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("ONWARD_KEEPERS={rounds} ONWARD_SEED={seed}");
    let mut dice = Dice(seed);
    let mut home = Home::new("task = []\n");
    let mut names = Vec::new();
    for round in 0..rounds {
        if round % 4 == 0 {
            // Start another agent. It may be unable to wait for its children.
            if home.agent.is_some() {
                home.kill();
            }
            let ignored: &[&str] = if round % 8 == 0 { &["--ignore-signal=CHLD"] } else { &[] };
            start(&mut home, ignored);
            home.wait(|home| home.ps().is_some());
        }
        let mut file = String::new();
        for index in 0..=dice.roll(TASKS) {
            let name = format!("t{round}-{index}");
            file += &marked_task(&name, &mut dice);
            names.push(name);
        }
        home.save(&file);
        let hits = 1 + dice.roll(4);
        let mut stopped = Vec::new();
        for _ in 0..hits {
            let moment = Instant::now() + Duration::from_millis(dice.roll(120));
            let launcher = dice.roll(2) == 0;
            // A launcher lives only for a moment.
            let mut found = Vec::new();
            while found.is_empty() && Instant::now() < moment + Duration::from_millis(200) {
                found = keepers(&home, !launcher);
                if !launcher && Instant::now() < moment {
                    found.clear();
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            let Some(index) = (found.len() as u64).checked_sub(1) else { continue };
            let pid = found[usize::try_from(dice.roll(index + 1)).unwrap()];
            if dice.roll(3) == 0 {
                signal(pid, Signal::STOP);
                stopped.push(pid);
            } else {
                signal(pid, Signal::KILL);
            }
        }
        for _ in 0..3 {
            check(&home, &names);
            std::thread::sleep(Duration::from_millis(dice.roll(60)));
        }
        // The end of a task wakes its stopped keeper, after ten seconds.
        let stay = if rounds > ROUNDS { 2 } else { 1 };
        stopped
            .into_iter()
            .filter(|_| dice.roll(stay) == 0)
            .for_each(|pid| signal(pid, Signal::CONT));
    }
    check(&home, &names);
    home.save("task = []\n");
    home.wait(|home| {
        check(home, &names);
        home.ps() == Some(Vec::new())
    });
    assert_eq!(home.alive(), []);
    let left: Vec<_> = fs::read_dir(home.path("state/tasks")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The agent's only child is a launcher. It is killed as soon as it exists.
#[test]
fn a_task_whose_launcher_is_killed_runs_or_was_never_started() {
    let mut home = Home::new("task = []\n");
    home.up(&["--on-exit", "stop"]);
    for round in 0..10 {
        let name = format!("t{round}");
        home.save(&task(&name, agent::RUNS));
        home.wait(|home| {
            let found = keepers(home, false);
            for pid in &found {
                signal(*pid, Signal::KILL);
            }
            !found.is_empty() || home.starts(&name) > 0
        });
        home.wait(|home| ["running", "failed"].contains(&&*home.state(&name)));
        let runs = home.alive().iter().any(|(_, line)| line.starts_with("sh -c"));
        assert_eq!(runs, home.state(&name) == "running", "{:?}", home.task(&name));
        assert!(home.starts(&name) <= 1);
    }
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
    assert_eq!(home.alive(), []);
}
