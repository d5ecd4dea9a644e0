//! Signals to an agent at any moment, and what the agent shows of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use agent::{Home, RUNS, child, task, text};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// At any moment of the start, the signal ends the agent before a task starts, or is handled.
#[test]
fn a_signal_that_comes_while_the_agent_starts_leaves_nothing_behind() {
    let tasks: String = (0..20).map(|i| task(&format!("t{i}"), RUNS)).collect();
    for round in 0..24 {
        let home = Home::new(&tasks);
        fs::create_dir(home.path("tmp")).unwrap();
        let mut command = home.command(&["run", "tasks.toml"]);
        command.env_remove("ONWARD_STATE").env("TMPDIR", home.path("tmp")).stdout(Stdio::null());
        let agent = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(round * 4));
        let signal = [Signal::TERM, Signal::INT, Signal::HUP][usize::try_from(round % 3).unwrap()];
        kill_process(Pid::from_child(&agent), signal).unwrap();
        let ended = child::ended(agent).status;
        assert!(ended.success() || ended.signal() == Some(signal.as_raw()), "{round}: {ended}");
        assert_eq!(home.alive(), [], "round {round}, {ended}");
        assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0, "round {round}, {ended}");
    }
}

#[test]
fn an_agent_whose_terminal_was_closed_keeps_running_and_ps_reports_it() {
    let mut home = Home::new(&task("web", RUNS));
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = || File::options().read(true).write(true).open(&name).unwrap();
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(env!("CARGO_BIN_EXE_process-agent")).args(["run", "tasks.toml"]);
    command
        .current_dir(home.path(""))
        .env("TEST_HOME", home.path("").to_str().unwrap().trim_end_matches('/'));
    command.env("ONWARD_STATE", "state").env("TERM", "xterm");
    child::with_default_signals();
    home.agent = Some(command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap());
    home.until("web", "running");
    drop(terminal);
    let pid = Pid::from_child(home.agent.as_ref().unwrap()).as_raw_nonzero();
    let told = format!("terminal was closed and the agent keeps running; end it with: kill {pid}");
    home.wait(|home| text(&home.output(&["ps"]).stderr).contains(&told));
    assert_eq!(home.state("web"), "running");
    home.signal(Signal::TERM);
    assert_eq!(home.ended(), Some(0));
}

#[test]
fn control_characters_are_escaped_wherever_they_come_from() {
    let mut home = Home::new("[[task]]\nname = 'bad'\ncommand = ['/no\u{202e}where\u{9b}31m']\n");
    home.up(&[]);
    home.until("bad", "rejected");
    let obeyed = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    let shown = [home.ask(&["ps"]), home.ask(&["ps", "--json"])];
    for text in &shown {
        assert!(!text.contains(obeyed), "{text:?}");
        assert!(text.contains("202e") && text.contains("where"), "{text:?}");
    }
    assert!(!home.read("out").contains(obeyed), "{:?}", home.read("out"));
    home.save("[[task]]\nname = 'x'\ncommand = ['true']\n\"ke\\u001by\\u202e\" = 1\n");
    let refused = child::output(home.command(&["run", "tasks.toml"]).env_remove("ONWARD_STATE"));
    let error = text(&refused.stderr);
    assert!(error.contains("unknown key") && !error.contains(obeyed), "{error:?}");
}
