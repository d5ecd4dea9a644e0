use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use onward::exec::ControllerError;

use crate::blocking;
use crate::keeper::{POLL, SILENCE_LIMIT, try_lock};

/// The suffix of the name of a directory that is being removed.
const SUFFIX: &str = ".removing";

/// Returns the task whose directory is being removed under this name.
pub(super) fn task_of(doomed: &str) -> Option<&str> {
    doomed.strip_prefix('.')?.strip_suffix(SUFFIX)
}

/// Removes a task's directory, in a thread for blocking work. A missing directory counts as
/// removed.
///
/// It holds the lock of the directory, so no keeper runs there or starts there. It first renames
/// the directory. So if the removal is interrupted, the rest does not look like a task.
///
/// # Cancel safety
///
/// If you drop the future, the removal stops before its next step. You can call it again.
pub(super) async fn remove_dir(dir: PathBuf) -> Result<(), ControllerError> {
    let path = dir.display().to_string();
    let removed = blocking::run(move |caller| remove_while(&dir, || caller.waits())).await;
    removed.unwrap_or_else(Err).map_err(|error| {
        ControllerError::new(format!("cannot remove {path}")).with_source(error).temporary()
    })
}

/// When the removal is no longer wanted, the directory may belong to a new task of the same name.
fn remove_while(dir: &Path, is_wanted: impl Fn() -> bool) -> io::Result<()> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    // No task can have a name that starts with a dot.
    let doomed = dir.with_file_name(format!(".{name}{SUFFIX}"));
    let given_up = Instant::now() + SILENCE_LIMIT;
    while is_wanted() {
        match try_lock(dir) {
            Ok(Some(_locked)) if is_wanted() => {
                remove_all(&doomed)?;
                unless_missing(fs::rename(dir, &doomed))?;
                return remove_all(&doomed);
            }
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() > given_up => {
                let in_use = "another process has locked it, as a running keeper does";
                return Err(io::Error::other(in_use));
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return remove_all(&doomed),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Deletes a directory, even if the workload has removed its own permissions. None of its processes
/// runs any more.
fn remove_all(dir: &Path) -> io::Result<()> {
    match unless_missing(fs::remove_dir_all(dir)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(dir);
            unless_missing(fs::remove_dir_all(dir))
        }
        removed => removed,
    }
}

/// Gives the owner all permissions on a directory and its subdirectories. It ignores errors,
/// because the removal reports them. It does not follow symbolic links.
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
