use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, Stat, chmod, flock, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::StateError;

/// A directory of this process' user alone, which nobody else can replace.
#[derive(Debug)]
pub struct Place {
    /// Its path, absolute and without symbolic links.
    pub path: PathBuf,
    dir: File,
}

impl Place {
    /// Opens a directory, which is made if it is not there, with those on the way to it.
    ///
    /// The path is walked from the root, and each directory is checked that is passed. Nobody but
    /// root and this user can change what is in one that is good, so the path leads to the same
    /// directory ever after.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or somebody else can change it or replace it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Directory { path: path.to_owned(), error };
        let real = resolved(path).map_err(failed)?;
        if real.to_str().is_none() {
            return Err(StateError::NotUtf8 { path: path.to_owned() });
        }
        let mut dir =
            File::from(openat(CWD, "/", FLAGS, Mode::empty()).map_err(|e| failed(e.into()))?);
        let mut passed = PathBuf::from("/");
        for component in real.components() {
            let Component::Normal(name) = component else { continue };
            let stat = fstat(&dir).map_err(|error| failed(error.into()))?;
            if let Some(problem) = replaceable(&stat) {
                let (path, on_the_way) = (path.to_owned(), passed);
                return Err(StateError::Replaceable { path, on_the_way, problem });
            }
            dir = enter(&dir, Path::new(name)).map_err(failed)?;
            passed.push(name);
        }
        let stat = fstat(&dir).map_err(|error| failed(error.into()))?;
        if let Some(problem) = exposed(&stat) {
            return Err(StateError::Exposed { path: path.to_owned(), problem });
        }
        Ok(Self { path: real, dir })
    }

    /// Locks the directory until this is dropped. Returns whether nobody else has locked it.
    ///
    /// # Errors
    ///
    /// The system cannot lock it.
    pub(super) fn lock(&self) -> Result<bool, StateError> {
        match flock(&self.dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => {
                Err(StateError::Directory { path: self.path.clone(), error: error.into() })
            }
        }
    }
}

const FLAGS: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The path without symbolic links, as far as it is there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for there in absolute.ancestors() {
        match fs::canonicalize(there) {
            Ok(real) => {
                let missing = absolute.strip_prefix(there).map_err(io::Error::other)?;
                if missing.components().any(|part| part == Component::ParentDir) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                // Not with a slash behind it, where nothing is missing.
                return Ok(real.components().chain(missing.components()).collect());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Opens a directory in another one. One that is not there is made, for its owner only, whatever
/// the process' mask says.
fn enter(dir: &File, name: &Path) -> io::Result<File> {
    match openat(dir, name, FLAGS, Mode::empty()) {
        Err(Errno::NOENT) => {}
        // One that can be passed and not read.
        Err(Errno::ACCESS) => {
            return Ok(openat(dir, name, FLAGS.union(OFlags::PATH), Mode::empty())?.into());
        }
        opened => return Ok(opened?.into()),
    }
    match mkdirat(dir, name, Mode::RWXU) {
        Ok(()) => {
            let made = openat(dir, name, FLAGS.union(OFlags::PATH), Mode::empty())?;
            // By way of /proc: what the mask has taken away cannot be opened.
            let path = format!("/proc/self/fd/{}", made.as_raw_fd());
            chmod(path, Mode::RWXU)?;
        }
        // Made by somebody else meanwhile.
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(dir, name, FLAGS, Mode::empty())?.into())
}

/// Why somebody else could replace what is in a directory, if anybody can.
fn replaceable(dir: &Stat) -> Option<String> {
    let (owner, me) = (dir.st_uid, geteuid().as_raw());
    if owner != 0 && owner != me && !is_unmapped(owner) {
        return Some(format!("belongs to user {owner}"));
    }
    let mode = Mode::from_raw_mode(dir.st_mode);
    let others = Mode::WGRP.union(Mode::WOTH);
    (mode.intersects(others) && !mode.contains(Mode::SVTX)).then(|| {
        format!("has the mode {:03o}, so that others can write to it", mode.bits() & 0o777)
    })
}

/// Who else than this process' user can do something with a directory, if anybody can.
fn exposed(dir: &Stat) -> Option<String> {
    if dir.st_uid != geteuid().as_raw() {
        return Some(format!("this one belongs to user {}", dir.st_uid));
    }
    let mode = Mode::from_raw_mode(dir.st_mode).bits() & 0o777;
    (mode & 0o077 != 0).then(|| format!("this one has the mode {mode:03o}"))
}

/// Whether a user's number stands for all those that this user namespace does not know. In a
/// container of a user without privileges, that is how the root of the host is seen.
fn is_unmapped(user: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let knows_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let unmapped = fs::read_to_string("/proc/sys/kernel/overflowuid").unwrap_or_default();
    !knows_all && unmapped.trim() == user.to_string()
}
