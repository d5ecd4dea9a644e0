use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use onward::exec::ControllerError;

/// What the name of a directory ends with that is being removed.
const SUFFIX: &str = ".removing";

/// The task whose directory had this name while it was being removed.
pub(super) fn task_of(doomed: &str) -> Option<&str> {
    doomed.strip_prefix('.')?.strip_suffix(SUFFIX)
}

/// Removes a task's directory, in a thread for blocking work. It is given another name first: a
/// keeper that comes late, because the `start` that began it was dropped, does not find it any more
/// and so puts nothing into it. One that is not there is as good as removed.
pub(super) async fn remove_dir(dir: PathBuf) -> Result<(), ControllerError> {
    let told = dir.display().to_string();
    let removed = tokio::task::spawn_blocking(move || {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        // No task can have a name with a dot before it.
        let doomed = dir.with_file_name(format!(".{name}{SUFFIX}"));
        remove_all(&doomed)?;
        unless_missing(fs::rename(&dir, &doomed))?;
        remove_all(&doomed)
    });
    removed.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
        ControllerError::new(format!("{told} cannot be removed")).with_source(error).temporary()
    })
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
