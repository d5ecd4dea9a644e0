//! The same tasks under supervisord.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use comfy_table::Table;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::fleet::Fleet;
use crate::{Scale, cpu, ms, table};

const GUARD: Duration = Duration::from_secs(300);

/// The figures to compare.
#[derive(Debug)]
struct Figures {
    running: Duration,
    processes_after_kill: usize,
    memory: u64,
    stop: Duration,
}

pub(crate) fn measure(scale: Scale) -> Result<Table> {
    let mut table = table(&["", "process-agent", "supervisord"]);
    let ours = ours(scale.fleet)?;
    let theirs = theirs(scale.fleet)?;
    let version = theirs.as_ref().map_or("skipped: supervisord is not installed", |found| &found.0);
    let mut row = |name: &str, figure: &dyn Fn(&Figures) -> String| {
        let other = theirs.as_ref().map_or_else(|| "skipped".to_owned(), |found| figure(&found.1));
        table.add_row([name.to_owned(), figure(&ours), other]);
    };
    row("all running (clock)", &|figures| ms(figures.running));
    row("processes after `kill -9` and a new start", &|f| f.processes_after_kill.to_string());
    row("memory a task with supervision", &|figures| format!("{} KB", figures.memory / 1000));
    row("stop of all (clock)", &|figures| ms(figures.stop));
    table.add_row(["version".to_owned(), env!("CARGO_PKG_VERSION").to_owned(), version.to_owned()]);
    Ok(table)
}

fn ours(tasks: usize) -> Result<Figures> {
    let mut fleet = Fleet::start(tasks)?;
    let running = fleet.until_running()?.after;
    let mut memory = cpu::memory(fleet.agent_pid()?)?.0;
    for n in 0..tasks {
        memory += cpu::memory(fleet.keeper(n)?)?.0;
    }
    fleet.kill_agent()?;
    fleet.start_agent()?;
    fleet.until_running()?;
    let processes_after_kill = fleet.workloads();
    let stop = fleet.end()?;
    Ok(Figures { running, processes_after_kill, memory: memory / tasks as u64, stop })
}

/// Returns the figures and the version of supervisord. `None` if it is not installed.
fn theirs(tasks: usize) -> Result<Option<(String, Figures)>> {
    let Ok(version) = Command::new("supervisord").arg("--version").output() else {
        return Ok(None);
    };
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let home = TempDir::new()?;
    let argument = format!("200000.{}", std::process::id());
    let mut text = format!(
        "[supervisord]\nnodaemon=true\nminfds=4096\nlogfile={0}/log\npidfile={0}/pid\n\
         childlogdir={0}\n",
        home.path().display()
    );
    for n in 0..tasks {
        write!(text, "[program:t{n}]\ncommand=sleep {argument}\nstartsecs=0\n")?;
    }
    let config = home.path().join("conf");
    fs::write(&config, text)?;
    let count = || cpu::named(&["sleep", &argument]).len();
    let until = |wanted: usize| -> Result<()> {
        let begun = Instant::now();
        while count() != wanted {
            ensure!(begun.elapsed() < GUARD, "{} of {wanted} processes of supervisord", count());
            sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    let begun = Instant::now();
    let mut daemon = supervisord(&config)?;
    until(tasks)?;
    let running = begun.elapsed();
    let memory = cpu::memory(i32::try_from(daemon.id())?)?.0 / tasks as u64;
    daemon.kill()?;
    daemon.wait()?;
    let mut daemon = supervisord(&config)?;
    // The old processes keep running without supervision.
    until(2 * tasks)?;
    let processes_after_kill = count();
    let begun = Instant::now();
    kill_process(Pid::from_child(&daemon), Signal::TERM)?;
    daemon.wait()?;
    let stop = begun.elapsed();
    for pid in cpu::named(&["sleep", &argument]).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
    Ok(Some((version, Figures { running, processes_after_kill, memory, stop })))
}

fn supervisord(config: &Path) -> Result<Child> {
    let mut daemon = Command::new("supervisord");
    let daemon = daemon.arg("-c").arg(config).stdin(Stdio::null());
    Ok(daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}
