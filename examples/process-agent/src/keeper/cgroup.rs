//! A control group (cgroup v2) of the workload's own: which processes are in it, and killing all
//! of them at once.
//!
//! It is made below the keeper's own cgroup and named after the task's token. Every file in it is
//! reached from an open directory, so that another directory which takes its place is never taken
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

/// The type of a cgroup v2 file system in `statfs`.
const CGROUP2: FsWord = 0x6367_7270;

/// How many levels of sub-cgroups of a workload are looked at.
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
    /// Makes the cgroup, and starts something in it: this process enters it, calls `start`, and
    /// goes back, so that what was started has been in it from its first instant. Must be called
    /// while no other thread starts processes.
    ///
    /// # Errors
    ///
    /// The cgroup cannot be made or entered, after which there is none and `start` was not
    /// called.
    pub(super) fn start_in<T>(
        place: Place,
        start: impl FnOnce() -> T,
    ) -> Result<(T, Option<Self>), io::Error> {
        let Place { own, name, .. } = place;
        let back = open_write(&own, "cgroup.procs")?;
        match mkdirat(&own, name.as_str(), Mode::RWXU) {
            // Left by a keeper of this task that was killed at its start. It is empty, or stays.
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
            // Killing all in it would kill this process as well.
            complain(&format!("the workload's cgroup {name} cannot be left: {error}"));
            return Ok((started, None));
        }
        Ok((started, Some(cgroup)))
    }

    /// The cgroup at this path, of the task with this token. `None` if it is not there.
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

    /// Moves this process into the cgroup, and looks whether it is there.
    fn enter(&self) -> io::Result<()> {
        // Not every kernel with cgroup v2 has it.
        open_write(&self.dir, "cgroup.kill")?;
        write_number(&open_write(&self.dir, "cgroup.procs")?, std::process::id())?;
        let own = own_cgroup()?;
        if own.is_some_and(|own| own.ends_with(&self.name)) {
            return Ok(());
        }
        Err(io::Error::other("this process is not in the cgroup that it has entered"))
    }

    /// Becomes ready (`PRI`) when the cgroup becomes empty, and whenever it is frozen or thawed.
    pub(super) fn events(&self) -> &File {
        &self.events
    }

    /// Whether no process in it or below it lives.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        // Through the file that is polled, which is ready until it is read.
        let mut events = [0; 256];
        let length = self.events.read_at(&mut events, 0)?;
        let mut lines = events.get(..length).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.any(|line| line == b"populated 0"))
    }

    /// The numbers of the processes in it and in the cgroups that the workload has made below it.
    /// A process that ends or moves meanwhile may be in the list or not.
    pub(super) fn pids(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        collect(&self.dir, MAX_DEPTH, &mut pids)?;
        Ok(pids)
    }

    /// Kills all processes in it and below it, also those that start meanwhile, are frozen, or are
    /// of other users.
    pub(super) fn kill(&self) -> io::Result<()> {
        write_number(&open_write(&self.dir, "cgroup.kill")?, 1)
    }

    /// Removes it and the cgroups below it. It must be empty.
    pub(super) fn remove(&self) {
        let removed = remove_below(&self.dir, MAX_DEPTH)
            .and_then(|()| unlinkat(&self.parent, self.name.as_str(), AtFlags::REMOVEDIR));
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                complain(&format!("the cgroup {} cannot be removed: {error}", self.name));
            }
        }
    }
}

fn name(token: &str) -> String {
    format!("onward-{token}")
}

fn collect(dir: &OwnedFd, depth: usize, pids: &mut Vec<i32>) -> io::Result<()> {
    match read_text(dir, "cgroup.procs") {
        // A process of another PID namespace has the number 0 here.
        Ok(text) => {
            let numbers = text.lines().filter_map(|line| line.parse::<i32>().ok());
            pids.extend(numbers.filter(|number| *number != 0));
        }
        // A threaded cgroup: its processes are in the list of the cgroup above.
        Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    for below in sub_directories(dir, depth)? {
        match collect(&below.1, depth - 1, pids) {
            // Removed meanwhile.
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

/// A cgroup that was removed while it was open has no files any more, and those that are open
/// cannot be read.
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
