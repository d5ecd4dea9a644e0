//! A control group (cgroup v2) of the workload's own: which processes are in it, and killing all
//! of them at once.
//!
//! It is made below the keeper's own cgroup and named after the task's token. Every file in it is
//! reached from an open directory, so that another directory which takes its place is never taken
//! for it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::FileExt as _,
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FsWord, Mode, OFlags, fstatfs, mkdirat, open, openat, unlinkat},
    io::Errno,
};

use super::complain;

/// The type of a cgroup v2 file system in `statfs`.
const CGROUP2: FsWord = 0x6367_7270;

/// How many levels of sub-cgroups of a workload are looked at.
const MAX_DEPTH: usize = 64;

/// Where a workload's cgroup can be made.
#[derive(Debug)]
pub(super) struct Place {
    /// The keeper's own cgroup.
    own: OwnedFd,
    name: String,
    /// The whole path of the new directory.
    pub(super) path: PathBuf,
}

impl Place {
    /// The place in this process's own cgroup. `None` where there is no cgroup v2, or where the
    /// own one cannot be seen from here, as in some containers.
    pub(super) fn find(token: &str) -> Option<Self> {
        let mounts = fs::read("/proc/self/mountinfo").ok()?;
        let own = own_cgroup().ok()??;
        let own = directory_of(&mounts, &own)?;
        let name = name(token);
        let path = own.join(&name);
        let own = open_dir_at_path(&own).ok()?;
        // The record of it is JSON.
        (is_cgroup2(&own) && path.to_str().is_some()).then_some(Self { own, name, path })
    }
}

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

/// This process's path in the hierarchy of cgroup v2, as its cgroup namespace shows it. `None`
/// where there is only cgroup v1.
fn own_cgroup() -> io::Result<Option<PathBuf>> {
    let text = fs::read("/proc/self/cgroup")?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let path = lines.find_map(|line| line.strip_prefix(b"0::"));
    Ok(path.map(|path| PathBuf::from(OsString::from_vec(path.to_vec()))))
}

/// The directory of a cgroup, from the text of `mountinfo`.
fn directory_of(mounts: &[u8], cgroup: &Path) -> Option<PathBuf> {
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescape(fields.nth(3)?);
        let mount_point = unescape(fields.next()?);
        // Optional fields end with a dash; the type is behind it.
        if fields.find(|field| *field == b"-").and_then(|_| fields.next())? != b"cgroup2" {
            return None;
        }
        Some(mount_point.join(cgroup.strip_prefix(root).ok()?))
    })
}

/// A path in `mountinfo`, where space, tab, newline and backslash are written as `\` and three
/// octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *byte == b'\\');
        let octal = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*byte));
        rest = tail.get(if octal.is_some() { 3 } else { 0 }..).unwrap_or_default();
    }
    PathBuf::from(OsString::from_vec(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mounts: &str, cgroup: &str, directory: Option<&str>) {
        let found = directory_of(mounts.as_bytes(), Path::new(cgroup));
        assert_eq!(found.as_deref(), directory.map(Path::new), "{mounts} {cgroup}");
    }

    #[test]
    fn the_directory_of_a_cgroup_is_found_where_its_hierarchy_is_mounted() {
        let only = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        check(only, "/", Some("/sys/fs/cgroup/"));
        check(only, "/system.slice/a.service", Some("/sys/fs/cgroup/system.slice/a.service"));
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
             32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw shared:10 master:1 - cgroup2 cgroup2 rw\n";
        check(hybrid, "/a", Some("/sys/fs/cgroup/unified/a"));
        check(hybrid.lines().take(2).collect::<Vec<_>>().join("\n").as_str(), "/a", None);
    }

    #[test]
    fn a_part_of_the_hierarchy_that_is_mounted_has_only_the_cgroups_below_it() {
        let part = "31 23 0:28 /a/b /sys/fs/my\\040cgroup rw - cgroup2 none rw\n";
        check(part, "/a/b/c", Some("/sys/fs/my cgroup/c"));
        check(part, "/a/bc", None);
        check(part, "/", None);
        // What is outside of the own cgroup namespace.
        let outside = "31 23 0:28 /../.. /sys/fs/cgroup rw - cgroup2 none rw\n";
        check(outside, "/", None);
    }
}
