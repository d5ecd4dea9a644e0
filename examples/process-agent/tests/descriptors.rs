//! An agent with fewer descriptors than its tasks need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::process::Command;

use agent::{Home, RUNS, task};

const TASKS: usize = 30;

/// The limit on descriptors. The agent needs about twenty for itself, and one for each running
/// task.
const LIMIT: u32 = 40;

fn tasks(range: std::ops::Range<usize>) -> String {
    range.map(|index| task(&format!("t{index:02}"), RUNS)).collect()
}

/// Starts an agent in a shell, after `ulimit` with these flags.
fn limited(flags: &str) -> Home {
    let mut home = Home::new(&tasks(0..TASKS));
    let agent = home.command(&["run", "tasks.toml"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {flags} -n {LIMIT}; exec \"$0\" \"$@\"")]);
    command.arg(agent.get_program()).args(agent.get_args());
    command.envs(agent.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(agent.get_current_dir().unwrap());
    home.spawn(command);
    home
}

fn running(home: &Home) -> usize {
    let tasks = home.ps().unwrap_or_default();
    tasks.iter().filter(|task| task["Status"]["State"] == "running").count()
}

#[test]
fn a_soft_limit_that_is_too_low_is_raised() {
    let mut home = limited("-S");
    home.wait(|home| running(home) == TASKS);
    home.kill();
}

#[test]
fn tasks_without_descriptors_wait_for_them_and_name_the_limit_to_raise() {
    let mut home = limited("");
    let names = |home: &Home| (0..TASKS).filter(|i| home.starts(&format!("t{i:02}")) > 0).count();
    home.wait(|home| {
        let told = home.read("out");
        told.contains("Too many open files")
            && told.contains("raise the agent's limit on open files")
    });
    assert!(names(&home) < TASKS, "the limit is too high for this test");
    // The others free their descriptors.
    home.save(&tasks(TASKS - 5..TASKS));
    home.wait(|home| running(home) == 5 && home.ps().unwrap_or_default().len() == 5);
    for index in TASKS - 5..TASKS {
        assert_eq!(home.starts(&format!("t{index:02}")), 1, "t{index:02}");
    }
    let told = home.read("out");
    assert!(!told.contains("  failed ") && !told.contains("  rejected "), "{told}");
    home.kill();
}
