use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use onward::exec::ControllerError;

use crate::blocking;
use crate::keeper::{PATIENCE, POLL, try_lock};

/// What the name of a directory ends with that is being removed.
const SUFFIX: &str = ".removing";

/// The task whose directory had this name while it was being removed.
pub(super) fn task_of(doomed: &str) -> Option<&str> {
    doomed.strip_prefix('.')?.strip_suffix(SUFFIX)
}

/// Removes a task's directory, in a thread for blocking work. One that is not there counts as
/// removed.
///
/// It holds the directory's lock, so no keeper is there or on its way. The directory gets another
/// name first: if the removal is interrupted, nothing takes the rest for a task.
///
/// # Cancel safety
///
/// A dropped removal stops before its next step, and can be called again.
pub(super) async fn remove_dir(dir: PathBuf) -> Result<(), ControllerError> {
    let told = dir.display().to_string();
    let removed = blocking::run(move |caller| remove_while(&dir, || caller.waits())).await;
    removed.unwrap_or_else(Err).map_err(|error| {
        ControllerError::new(format!("{told} cannot be removed")).with_source(error).temporary()
    })
}

/// When it is no longer wanted, the directory may be that of another task of the same name.
fn remove_while(dir: &Path, is_wanted: impl Fn() -> bool) -> io::Result<()> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    // No task can have a name with a dot before it.
    let doomed = dir.with_file_name(format!(".{name}{SUFFIX}"));
    let given_up = Instant::now() + PATIENCE;
    while is_wanted() {
        match try_lock(dir) {
            Ok(Some(_locked)) if is_wanted() => {
                remove_all(&doomed)?;
                unless_missing(fs::rename(dir, &doomed))?;
                return remove_all(&doomed);
            }
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() > given_up => {
                let in_use = "another process has its lock, as a keeper does while it runs";
                return Err(io::Error::other(in_use));
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return remove_all(&doomed),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// What a workload has protected from itself is not protected from us: nothing of it lives any
/// more.
fn remove_all(dir: &Path) -> io::Result<()> {
    match unless_missing(fs::remove_dir_all(dir)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(dir);
            unless_missing(fs::remove_dir_all(dir))
        }
        removed => removed,
    }
}

/// Gives the owner all permissions on a directory and those in it, as far as that is
/// possible: what is not is told by the removal. Symbolic links are not followed.
fn open_up(dir: &Path) {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        _ = fs::set_permissions(&dir, Permissions::from_mode(0o700));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        dirs.extend(below.map(|entry| entry.path()));
    }
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
