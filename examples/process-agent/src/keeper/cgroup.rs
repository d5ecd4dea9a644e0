//! The cgroup (v2) of a workload: lists its processes, and kills all of them at once.
//!
//! It is created below the keeper's own cgroup and named after the task's token. All its files are
//! opened relative to an open directory. So another directory at the same path is never mistaken
//! for it.

mod place;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::FileExt as _,
        },
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FsWord, Mode, OFlags, fstatfs, mkdirat, open, openat, unlinkat},
    io::Errno,
};

use super::complain::complain;
pub(super) use place::Place;
use place::own_cgroup;

/// The file system type of cgroup v2 in `statfs`.
const CGROUP2: FsWord = 0x6367_7270;

/// How many levels of sub-cgroups of a workload are searched.
const MAX_DEPTH: usize = 64;

/// The cgroup of one workload.
#[derive(Debug)]
pub(super) struct Cgroup {
    parent: OwnedFd,
    name: String,
    dir: OwnedFd,
    events: File,
}

impl Cgroup {
    /// Creates the cgroup, and starts a process in it. This process enters the cgroup, calls
    /// `start`, and leaves it again. So the new process is in the cgroup from its start. Call it
    /// only while no other thread starts processes.
    ///
    /// # Errors
    ///
    /// Fails if the cgroup cannot be created or entered. Then it does not exist, and `start` was
    /// not called.
    pub(super) fn start_in<T>(
        place: Place,
        start: impl FnOnce() -> T,
    ) -> Result<(T, Option<Self>), io::Error> {
        let Place { own, name, .. } = place;
        let back = open_write(&own, "cgroup.procs")?;
        match mkdirat(&own, name.as_str(), Mode::RWXU) {
            // A keeper of this task was killed during its start and left the cgroup. It is empty,
            // or the removal fails.
            Err(Errno::EXIST) => {
                unlinkat(&own, name.as_str(), AtFlags::REMOVEDIR)?;
                mkdirat(&own, name.as_str(), Mode::RWXU)?;
            }
            made => made?,
        }
        let made = Self::open_in(own, name.clone());
        let entered = made.and_then(|cgroup| {
            let entered = cgroup.enter();
            if entered.is_err() {
                cgroup.remove();
            }
            entered.map(|()| cgroup)
        });
        let cgroup = entered?;
        let started = start();
        if let Err(error) = write_number(&back, std::process::id()) {
            // Killing the cgroup would kill this process, too.
            complain(&format!("cannot leave the workload's cgroup {name}: {error}"));
            return Ok((started, None));
        }
        Ok((started, Some(cgroup)))
    }

    /// Opens the cgroup at this path, of the task with this token. `None` if it does not exist.
    pub(super) fn open(path: &Path, token: &str) -> io::Result<Option<Self>> {
        let name = name(token);
        let parent = path.parent().filter(|_| path.ends_with(&name));
        let Some(parent) = parent else {
            return Ok(None);
        };
        let opened = open_dir_at_path(parent).and_then(|parent| Self::open_in(parent, name));
        match opened {
            Ok(cgroup) => Ok(is_cgroup2(&cgroup.dir).then_some(cgroup)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_in(parent: OwnedFd, name: String) -> io::Result<Self> {
        let dir = open_dir(&parent, &name)?;
        let events = open_read(&dir, "cgroup.events")?;
        Ok(Self { parent, name, dir, events })
    }

    /// Moves this process into the cgroup, and checks that this worked.
    fn enter(&self) -> io::Result<()> {
        // Some kernels with cgroup v2 do not have this file.
        open_write(&self.dir, "cgroup.kill")?;
        write_number(&open_write(&self.dir, "cgroup.procs")?, std::process::id())?;
        let own = own_cgroup()?;
        if own.is_some_and(|own| own.ends_with(&self.name)) {
            return Ok(());
        }
        Err(io::Error::other("the process is not in the cgroup after entering it"))
    }

    /// Returns the file to poll for `PRI`. It is ready when the cgroup becomes empty, is frozen or
    /// is thawed.
    pub(super) fn events(&self) -> &File {
        &self.events
    }

    /// Whether the cgroup and those below it have no living process.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        // Reading the polled file also resets its readiness.
        let mut events = [0; 256];
        let length = self.events.read_at(&mut events, 0)?;
        let mut lines = events.get(..length).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.any(|line| line == b"populated 0"))
    }

    /// Returns the process ids in the cgroup and in those that the workload has created below it. A
    /// process that ends or moves at the same time may be missing.
    pub(super) fn pids(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        collect(&self.dir, MAX_DEPTH, &mut pids)?;
        Ok(pids)
    }

    /// Kills all processes in the cgroup and below it, including new processes, frozen processes,
    /// and those of other users.
    pub(super) fn kill(&self) -> io::Result<()> {
        write_number(&open_write(&self.dir, "cgroup.kill")?, 1)
    }

    /// Removes the cgroup and those below it. They must be empty.
    pub(super) fn remove(&self) {
        let removed = remove_below(&self.dir, MAX_DEPTH)
            .and_then(|()| unlinkat(&self.parent, self.name.as_str(), AtFlags::REMOVEDIR));
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                complain(&format!("cannot remove the cgroup {}: {error}", self.name));
            }
        }
    }
}

fn name(token: &str) -> String {
    format!("onward-{token}")
}

fn collect(dir: &OwnedFd, depth: usize, pids: &mut Vec<i32>) -> io::Result<()> {
    match read_text(dir, "cgroup.procs") {
        // A process of another PID namespace has the id 0 here.
        Ok(text) => {
            let numbers = text.lines().filter_map(|line| line.parse::<i32>().ok());
            pids.extend(numbers.filter(|number| *number != 0));
        }
        // This is a threaded cgroup. Its processes are in the list of the cgroup above.
        Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    for below in sub_directories(dir, depth)? {
        match collect(&below.1, depth - 1, pids) {
            // It was removed since.
            Err(error) if is_gone(&error) => {}
            collected => collected?,
        }
    }
    Ok(())
}

fn remove_below(dir: &OwnedFd, depth: usize) -> Result<(), Errno> {
    let below = sub_directories(dir, depth);
    for (name, below) in below.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))? {
        remove_below(&below, depth - 1)?;
        match unlinkat(dir, name.as_os_str(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sub_directories(dir: &OwnedFd, depth: usize) -> io::Result<Vec<(OsString, OwnedFd)>> {
    let mut found = Vec::new();
    if depth == 0 {
        return Ok(found);
    }
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() != FileType::Directory || name == b"." || name == b".." {
            continue;
        }
        let name = OsString::from_vec(name.to_vec());
        match open_dir(dir, &name) {
            Ok(below) => found.push((name, below)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Whether an error means that the cgroup was removed while it was open.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NODEV];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn is_cgroup2(dir: &OwnedFd) -> bool {
    fstatfs(dir).is_ok_and(|found| found.f_type == CGROUP2)
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open_dir_at_path(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::RDONLY | DIRECTORY, Mode::empty())?)
}

fn open_dir(dir: &OwnedFd, name: impl AsRef<std::ffi::OsStr>) -> io::Result<OwnedFd> {
    Ok(openat(dir, name.as_ref().as_bytes(), OFlags::RDONLY | DIRECTORY, Mode::empty())?)
}

fn open_read(dir: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
}

fn open_write(dir: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(openat(dir, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?.into())
}

fn read_text(dir: &OwnedFd, name: &str) -> io::Result<String> {
    let mut text = String::new();
    open_read(dir, name)?.read_to_string(&mut text)?;
    Ok(text)
}

fn write_number(mut file: &File, number: u32) -> io::Result<()> {
    file.write_all(number.to_string().as_bytes())
}
