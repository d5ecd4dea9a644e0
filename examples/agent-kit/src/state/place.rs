use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, Stat, chmod, flock, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::StateError;

/// A directory that only this process' user can open, and that no other user can replace.
#[derive(Debug)]
pub struct Place {
    /// The path, absolute and without symbolic links.
    pub path: PathBuf,
    dir: File,
}

impl Place {
    /// Opens a directory. Creates it and its parents if they do not exist.
    ///
    /// It walks the path from the root, and checks each directory on the way. Only root and this
    /// user can change the entries of a directory that passes the check. So the path leads to the
    /// same directory from then on.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be opened, or if another user can change or replace it.
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

    /// Locks the directory until `self` is dropped. Returns `false` if another process has the
    /// lock.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot lock it.
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

/// Resolves the symbolic links of a path, as far as it exists.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for there in absolute.ancestors() {
        match fs::canonicalize(there) {
            Ok(real) => {
                let missing = absolute.strip_prefix(there).map_err(io::Error::other)?;
                if missing.components().any(|part| part == Component::ParentDir) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                // Without a slash at the end if nothing is missing.
                return Ok(real.components().chain(missing.components()).collect());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Opens a directory in another one. Creates it with the mode 700 if it does not exist, whatever
/// the umask is.
fn enter(dir: &File, name: &Path) -> io::Result<File> {
    match openat(dir, name, FLAGS, Mode::empty()) {
        Err(Errno::NOENT) => {}
        // A directory that can be entered but not read.
        Err(Errno::ACCESS) => {
            return Ok(openat(dir, name, FLAGS.union(OFlags::PATH), Mode::empty())?.into());
        }
        opened => return Ok(opened?.into()),
    }
    match mkdirat(dir, name, Mode::RWXU) {
        Ok(()) => {
            let made = openat(dir, name, FLAGS.union(OFlags::PATH), Mode::empty())?;
            // Through /proc, because the umask can make the new directory impossible to open.
            let path = format!("/proc/self/fd/{}", made.as_raw_fd());
            chmod(path, Mode::RWXU)?;
        }
        // Another process has created it since.
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(openat(dir, name, FLAGS, Mode::empty())?.into())
}

/// Returns why another user could replace an entry of this directory, if so.
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

/// Returns why another user can access the directory, if so.
fn exposed(dir: &Stat) -> Option<String> {
    if dir.st_uid != geteuid().as_raw() {
        return Some(format!("this one belongs to user {}", dir.st_uid));
    }
    let mode = Mode::from_raw_mode(dir.st_mode).bits() & 0o777;
    (mode & 0o077 != 0).then(|| format!("this one has the mode {mode:03o}"))
}

/// Whether a user id stands for all users that this user namespace does not map. In a rootless
/// container, this is how root of the host appears.
fn is_unmapped(user: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let knows_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let unmapped = fs::read_to_string("/proc/sys/kernel/overflowuid").unwrap_or_default();
    !knows_all && unmapped.trim() == user.to_string()
}
