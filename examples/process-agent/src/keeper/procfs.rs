use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

/// Identifies a process for one boot. Process ids are reused, but a start time belongs to one
/// process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// The start time in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
    pub(super) start_time: u64,
}

impl Process {
    /// Identifies the process that has this id now.
    pub(super) fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_nonzero().get();
        let stat = Stat::read(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(stat.process)
    }

    /// Whether the process is still running. A zombie is not.
    pub(super) fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.process == self && !stat.is_dead())
    }

    pub(super) fn pid(self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Sends a signal, unless the process has ended.
    ///
    /// It opens a pidfd first, and then checks the start time again. So if the id was given to
    /// another process in between, that process gets no signal.
    pub(super) fn signal(self, signal: Signal) -> io::Result<()> {
        let Some(pid) = self.pid() else {
            return Ok(());
        };
        let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|descriptor| {
            if self.is_alive() { pidfd_send_signal(&descriptor, signal) } else { Ok(()) }
        });
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::new(
                io::Error::from(error).kind(),
                format!("cannot send {signal:?} to process {}: {error}", self.pid),
            )),
        }
    }
}

/// The content of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) process: Process,
    pub(super) parent: i32,
    /// The process group.
    pub(super) group: i32,
    state: u8,
}

impl Stat {
    /// Reads the file. `None` if the process does not exist.
    pub(super) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses the file. The name in parentheses can contain any bytes, so it counts the fields
    /// after its end.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let (pid, rest) = text.split_once(' ')?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let process = Process { pid: pid.parse().ok()?, start_time: fields.get(19)?.parse().ok()? };
        Some(Self {
            process,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            state: *fields.first()?.as_bytes().first()?,
        })
    }

    /// Whether the process has ended. It may still be a zombie.
    pub(super) fn is_dead(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// How many times all processes are read, until each has a parent among them.
const MAX_PASSES: usize = 8;

/// Reads all processes of the machine.
///
/// They are read one after the other. If the parent of a process is not among them, the parent has
/// ended during the search, and the ancestors of the process are unknown. Then all processes are
/// read again.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    let mut all = look()?;
    for _ in 1..MAX_PASSES {
        if is_whole(&all) {
            break;
        }
        all = look()?;
    }
    Ok(all)
}

/// Whether each process has a parent among them. The first processes of the system have the parent
/// 0.
fn is_whole(all: &[Stat]) -> bool {
    let pids: BTreeSet<i32> = all.iter().map(|stat| stat.process.pid).collect();
    all.iter().all(|stat| stat.parent == 0 || pids.contains(&stat.parent))
}

fn look() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            all.extend(Stat::read(pid));
        }
    }
    Ok(all)
}

/// Whether the kernel lists the children of a process (`CONFIG_PROC_CHILDREN`).
pub(super) fn lists_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// Returns the descendants of a process, including zombies, from the kernel's lists of children.
pub(super) fn listed_descendants(pid: i32) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in listed_children(parent) {
            // A process that gets a new parent during the search would be found twice.
            if found.iter().all(|known| known.process.pid != child) {
                found.extend(Stat::read(child));
                parents.push(child);
            }
        }
    }
    found
}

fn listed_children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    let children = |list: String| -> Vec<i32> {
        list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
    };
    lists.flat_map(children).collect()
}

/// Finds the living keepers and launchers that were started for this directory. `dir` must be
/// absolute. They are found by their arguments, so the directory may be gone. They must have the
/// same mount namespace, because the path may mean another directory in another container.
pub(super) fn keepers(dir: &Path) -> io::Result<Vec<Process>> {
    let mounts = fs::read_link("/proc/self/ns/mnt")?;
    let mut all = all()?;
    all.retain(|stat| {
        let pid = stat.process.pid;
        keeper_argument(pid).is_some_and(|of| of == dir)
            && fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|of| of == mounts)
    });
    Ok(all.into_iter().map(|stat| stat.process).collect())
}

/// Returns the directory that a keeper or launcher was started for. `None` for any other process,
/// and for a zombie, which has no arguments.
pub(super) fn keeper_argument(pid: i32) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).skip(1);
    let is_keeper = words.next()? == b"keeper";
    let dir = words.find(|word| *word != b"--keep")?;
    is_keeper.then(|| std::ffi::OsStr::from_bytes(dir).into())
}

/// Whether the environment of a process has this entry. `false` if the environment cannot be read.
pub(super) fn has_variable(pid: i32, entry: &str) -> bool {
    let path = PathBuf::from(format!("/proc/{pid}/environ"));
    fs::read(path).is_ok_and(|environment| {
        environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    })
}

/// Returns an id of the current boot.
pub(super) fn boot_id() -> io::Result<String> {
    read_line("/proc/sys/kernel/random/boot_id")
}

/// Returns a new random id.
pub(super) fn random_id() -> io::Result<String> {
    read_line("/proc/sys/kernel/random/uuid")
}

fn read_line(path: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim_end().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
pub(super) mod tests {
    use std::{io::Write as _, process::Command, thread, time::Duration};

    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let mut text = b"7 (a) Z 1 (b) R 42 17 ".to_vec();
        text.extend_from_slice("0 ".repeat(16).as_bytes());
        text.extend_from_slice(b"99 0 0");
        let stat = Stat::parse(&text).unwrap();
        assert_eq!((stat.process.pid, stat.parent, stat.process.start_time), (7, 42, 99));
        assert_eq!(stat.group, 17);
        assert!(!stat.is_dead());
    }

    /// Makes the entry of a process with this state, id and parent.
    pub(in crate::keeper) fn stat(state: &str, pid: i32, parent: i32) -> Stat {
        let text = format!("{pid} (x) {state} {parent} {pid} {}1 0", "0 ".repeat(16));
        Stat::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_list_is_complete_if_it_has_the_parent_of_each_process() {
        assert!(is_whole(&[stat("S", 1, 0), stat("S", 7, 1), stat("S", 9, 7)]));
        assert!(!is_whole(&[stat("S", 1, 0), stat("S", 9, 7)]));
    }

    #[test]
    fn the_kernel_lists_the_children_of_this_process() {
        if !lists_children() {
            // The output of `eprintln` is shown only for failed tests.
            let why = "the kernel has no CONFIG_PROC_CHILDREN";
            let test = "the_kernel_lists_the_children_of_this_process";
            writeln!(io::stderr(), "skipped: {test} ({why})").unwrap();
            return;
        }
        let mut child = Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        for _ in 0..10_000 {
            if !listed_children(pid).is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let found = listed_descendants(me);
        let parents: Vec<i32> = found
            .iter()
            .filter(|s| s.process.pid == pid || s.parent == pid)
            .map(|s| s.parent)
            .collect();
        for stat in found.iter().filter(|stat| stat.parent == pid) {
            stat.process.signal(Signal::KILL).unwrap();
        }
        child.wait().unwrap();
        assert_eq!(parents, [me, pid]);
    }

    #[test]
    fn this_process_is_alive_and_an_older_one_with_its_id_is_not() {
        let mut me = Process::of(rustix::process::getpid()).unwrap();
        assert!(me.is_alive());
        me.start_time -= 1;
        assert!(!me.is_alive());
    }
}
