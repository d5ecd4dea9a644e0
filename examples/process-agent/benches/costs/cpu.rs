//! Processor time, memory and number of processes, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, WaitOptions, wait, waitpid};

/// Times of a process, from `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    parent: i32,
    /// The processor time of the process itself.
    own: Duration,
    /// The processor time of its reaped children and their descendants.
    children: Duration,
}

/// Reads the times of a process. `None` if it does not exist.
pub(crate) fn times(pid: i32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |index: usize| -> Option<u64> { fields.get(index)?.trim().parse().ok() };
    let ticks = |first: usize| -> Option<Duration> {
        let ticks = field(first)? + field(first + 1)?;
        Some(Duration::from_secs(1) * u32::try_from(ticks).ok()?)
    };
    let scale = u32::try_from(clock_ticks_per_second()).ok()?;
    Some(Times {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? / scale,
        children: ticks(13)? / scale,
    })
}

/// Returns the processor time of this process's descendants, including reaped ones, without this
/// process itself. It is exact to a few ticks of the kernel, usually of 10 ms.
pub(crate) fn of_descendants() -> Result<Duration> {
    reap();
    let me = i32::try_from(std::process::id())?;
    let all: BTreeMap<i32, Times> =
        pids().into_iter().filter_map(|pid| times(pid).map(|times| (pid, times))).collect();
    let mut sum = all.get(&me).context("this process is not in /proc")?.children;
    for (pid, times) in &all {
        if *pid != me && descends(&all, *pid, me) {
            sum += times.own + times.children;
        }
    }
    Ok(sum)
}

/// Returns the processor time of the descendants since [`of_descendants`] returned `before`.
pub(crate) fn since(before: Duration) -> Result<Duration> {
    Ok(of_descendants()?.saturating_sub(before))
}

fn descends(all: &BTreeMap<i32, Times>, mut pid: i32, from: i32) -> bool {
    while let Some(times) = all.get(&pid) {
        if times.parent == from {
            return true;
        }
        pid = times.parent;
    }
    false
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the processes with this command line.
pub(crate) fn named(words: &[&str]) -> Vec<i32> {
    let line = words.iter().flat_map(|word| [word.as_bytes(), b"\0"]).flatten().copied();
    let line: Vec<u8> = line.collect();
    let is_it = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|of| of == line);
    pids().into_iter().filter(is_it).collect()
}

/// Reaps the children that have ended: keepers whose launcher has ended. It does not affect running
/// children that another call waits for.
pub(crate) fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Returns the proportional memory of a process in bytes, and the part that is private.
pub(crate) fn memory(pid: i32) -> Result<(u64, u64)> {
    let rollup = Path::new("/proc").join(pid.to_string()).join("smaps_rollup");
    let text = fs::read_to_string(&rollup).with_context(|| rollup.display().to_string())?;
    let field = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) * 1024
    };
    Ok((field("Pss:"), field("Private_Dirty:")))
}

/// Returns the number of threads of a process.
pub(crate) fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// Returns the processor time to start this command, kill it and reap it, without supervision. It
/// is the mean of `rounds`.
pub(crate) fn bare(command: &[&str], rounds: u32) -> Result<Duration> {
    let (program, arguments) = command.split_first().context("no command")?;
    let before = own_and_children()?;
    for _ in 0..rounds {
        let mut child =
            Command::new(program).args(arguments).stdin(Stdio::null()).spawn().context("bare")?;
        child.kill()?;
        let pid = Pid::from_child(&child);
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
    Ok(own_and_children()?.saturating_sub(before) / rounds)
}

fn own_and_children() -> Result<Duration> {
    let me = times(i32::try_from(std::process::id())?).context("this process is not in /proc")?;
    Ok(me.own + me.children)
}
