//! Inherited state makes no difference for the agent, its keepers and its tasks: ignored and
//! blocked signals, open and closed descriptors, limits, the umask, the environment, and being
//! process 1.
//!
//! With `ONWARD_SIGNALS=each`, every signal is also tried on its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use agent::Home;
use rustix::process::{Pid, Signal, kill_process};

/// Prints the inherited state of a task, and runs until it is stopped.
const SHOW: &str = r"
    grep -E '^(SigPnd|SigBlk|SigIgn|SigCgt|Umask):' /proc/self/status
    printf 'descriptors: '; ls -m /proc/$$/fd
    echo stdin: $(readlink /proc/$$/fd/0)
    echo open files: $(ulimit -S -n)
    echo file size: $(ulimit -S -f)
    echo directory: $(basename $(pwd))
    echo variables: $(env | cut -d= -f1 | sort | tr '\n' ' ')
    echo shown
    while :; do sleep 0.05; done
";

const TASKS: &str = "
[[task]]
name = 'ends'
command = ['sh', '-c', 'exit 7']
prepare = ['true']

[[task]]
name = 'show'
ready = { command = ['true'], interval = '10ms' }
command = ['sh', '-c', '''SHOW''']
";

/// Starts an agent in a shell, after the commands in `setup`.
fn start(setup: &str) -> Home {
    start_as(&["sh", "-c", &format!("{setup}\nexec \"$@\""), "sh"])
}

/// Starts an agent by the program `by`, which gets the agent's command as arguments.
fn start_as(by: &[&str]) -> Home {
    let mut home = Home::new(&TASKS.replace("SHOW", SHOW));
    let agent = home.command(&["run", "tasks.toml"]);
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).arg(agent.get_program()).args(agent.get_args());
    command.envs(agent.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(agent.get_current_dir().unwrap()).process_group(0);
    let file = |name| Stdio::from(fs::File::create(home.path(name)).unwrap());
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    home.agent = Some(command.spawn().unwrap());
    home
}

type Shown = BTreeMap<String, String>;

/// Runs the tasks to their ends, and returns the inherited state that one of them has printed.
#[track_caller]
fn lives(home: &Home) -> Shown {
    home.wait(|home| home.ps().is_some());
    home.until("ends", "failed");
    let ended = home.task("ends").unwrap();
    assert_eq!(ended["Status"]["ContainerStatus"]["ExitCode"], 7, "{ended:#}");
    home.until("show", "running");
    home.wait(|home| home.ask(&["logs", "show"]).contains("shown"));
    let said = home.ask(&["logs", "show"]);
    let lines = said.lines().filter_map(|line| line.split_once(':'));
    let shown = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    home.ask(&["stop", "--wait", "show"]);
    let stopped = home.task("show").unwrap();
    assert_eq!(stopped["Status"]["State"], "shutdown", "{stopped:#}");
    // They end by the stop signal, which has its default disposition, and not by a KILL after the
    // grace.
    assert_eq!(stopped["Status"]["ContainerStatus"]["ExitCode"], 143, "{stopped:#}");
    shown
}

/// Returns the state of a task under an agent that was started without changes.
fn usual() -> Shown {
    let shown = lives(&start(""));
    assert_eq!(shown["SigBlk"], "0000000000000000");
    // glibc uses these two signals itself.
    let ignored = u64::from_str_radix(&shown["SigIgn"], 16).unwrap();
    assert_eq!(ignored & !(0b11 << 31), 0, "{shown:?}");
    assert_eq!(shown["descriptors"], "0, 1, 2");
    assert_eq!(shown["stdin"], "/dev/null");
    assert_eq!(shown["directory"], "work");
    shown
}

#[track_caller]
fn check(case: &str, home: &Home, expected: &Shown) {
    let shown = lives(home);
    assert_eq!(shown, *expected, "{case}");
}

fn with(usual: &Shown, name: &str, value: &str) -> Shown {
    let mut shown = usual.clone();
    assert!(shown.insert(name.to_owned(), value.to_owned()).is_some());
    shown
}

/// Whether `env` of the GNU core utilities exists, which can ignore and block signals.
fn can_change_signals(test: &str) -> bool {
    let tried = Command::new("env").args(["--ignore-signal=USR1", "true"]).output();
    tried.is_ok_and(|tried| tried.status.success()) || skipped(test, "env cannot ignore signals")
}

fn skipped(test: &str, why: &str) -> bool {
    // The output of `eprintln` is shown only for failed tests.
    std::io::stderr().write_all(format!("skipped: {test} ({why})\n").as_bytes()).unwrap();
    false
}

#[test]
fn ignored_and_blocked_signals_are_not_inherited_by_a_task() {
    if !can_change_signals("ignored_and_blocked_signals_are_not_inherited_by_a_task") {
        return;
    }
    let usual = usual();
    for change in
        [&["--ignore-signal"][..], &["--block-signal"], &["--ignore-signal", "--block-signal"]]
    {
        let by: Vec<&str> = ["env"].into_iter().chain(change.iter().copied()).collect();
        check(&format!("{by:?}"), &start_as(&by), &usual);
    }
    if std::env::var("ONWARD_SIGNALS").is_ok_and(|which| which == "each") {
        for signal in (1..=64).filter(|signal| ![9, 19, 32, 33].contains(signal)) {
            for change in ["ignore", "block"] {
                let change = format!("--{change}-signal={signal}");
                check(&change, &start_as(&["env", &change]), &usual);
            }
        }
    }
}

#[test]
fn open_descriptors_are_not_inherited_by_a_keeper_or_a_task() {
    let usual = usual();
    let mut home = start("exec 3<tasks.toml 9>>held; flock 9 || exit");
    check("open descriptors", &home, &usual);
    home.save(
        &(TASKS.replace("SHOW", SHOW) + "[[task]]\nname = 'more'\ncommand = ['sleep', '1000']\n"),
    );
    home.until("more", "running");
    home.kill();
    // The task runs, and no process holds the lock.
    assert!(home.alive().iter().any(|(_, line)| line.starts_with("sleep 1000")));
    fs::File::open(home.path("held")).unwrap().try_lock().unwrap();
}

#[test]
fn closed_standard_descriptors_make_no_difference() {
    let usual = usual();
    for closed in 1..8 {
        let close = |bit: u32, text: &'static str| if closed >> bit & 1 == 1 { text } else { "" };
        let setup = format!("exec {} {} {}", close(0, "<&-"), close(1, ">&-"), close(2, "2>&-"));
        check(&setup, &start(&setup), &usual);
    }
}

#[test]
fn low_limits_are_inherited_by_the_tasks_and_raised_for_the_agent() {
    let usual = usual();
    check("soft", &start("ulimit -S -n 32"), &with(&usual, "open files", "32"));
    check("hard", &start("ulimit -n 64"), &with(&usual, "open files", "64"));
    // Smaller than the agent's store. In units of 512 or 1024 bytes.
    check("sizes", &start("ulimit -S -f 10"), &with(&usual, "file size", "10"));
}

#[test]
fn the_umask_is_inherited_by_the_tasks_and_not_used_by_the_agent() {
    let usual = usual();
    for mask in ["0000", "0077", "0777"] {
        let home = start(&format!("umask {mask}"));
        check(mask, &home, &with(&usual, "Umask", mask));
        let mode = fs::metadata(home.path("state/tasks/show/spec.json")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    }
}

#[test]
fn the_environment_lacks_the_variables_for_the_agent() {
    let usual = usual();
    let names: Vec<&str> = usual["variables"].split(' ').collect();
    assert!(names.contains(&"ONWARD_TASK") && names.contains(&"PATH"), "{names:?}");
    let own = |name: &&str| name.starts_with("ONWARD_") && *name != "ONWARD_TASK";
    assert!(!names.iter().any(own), "{names:?}");
    let meant =
        "export ONWARD_TASK=outer LISTEN_FDS=1 LISTEN_PID=$$ NOTIFY_SOCKET=/x WATCHDOG_USEC=9";
    check("of the agent", &start(meant), &usual);
    let without: Vec<&str> = names.iter().copied().filter(|name| *name != "HOME").collect();
    check("no HOME", &start("unset HOME"), &with(&usual, "variables", &without.join(" ")));
}

/// Returns the first child of a process, with ids of the test's PID namespace.
fn child_of(parent: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split(' ').next()?.parse().ok()
}

fn zombies_of(parent: i32) -> usize {
    let is_one = |process: &Path| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(&format!("Z {parent} ")))
    };
    fs::read_dir("/proc").unwrap().filter(|entry| is_one(&entry.as_ref().unwrap().path())).count()
}

#[test]
fn as_process_1_the_agent_leaves_no_zombies_and_forwards_signals() {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let tried = Command::new(unshare[0]).args(&unshare[1..]).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        skipped("as_process_1_…", "there can be no PID namespace, which needs root");
        return;
    }
    let usual = usual();
    let mut home = start_as(&unshare);
    check("process 1", &home, &usual);
    let unshared = Pid::from_child(home.agent.as_ref().unwrap()).as_raw_pid();
    let process_1 = child_of(unshared).unwrap();
    // It has one child, the agent, and all orphans.
    home.wait(|_| zombies_of(process_1) == 0);
    let agent = child_of(process_1).unwrap();
    assert_eq!(zombies_of(agent), 0);
    kill_process(Pid::from_raw(process_1).unwrap(), Signal::TERM).unwrap();
    assert_eq!(home.ended(), Some(0));
    assert_eq!(home.alive(), []);
}
