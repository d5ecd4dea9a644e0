//! Checks that everything in a state directory belongs to its owner.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::error::StateError;

/// Checks the entries of a state directory and of the directories below it, down to `depth`.
///
/// No other user can write to a state directory. But it may have been open to others before, and
/// files in it may have been restored from a backup or given to another user. Without this check,
/// the agent would read and write such files.
///
/// The directories at the last level are not checked: a task can do what it likes in its own.
///
/// # Errors
///
/// Fails at the first entry that belongs to another user, that others can write to, or that is a
/// symbolic link.
pub(super) fn check(dir: &Path, depth: u32) -> Result<(), StateError> {
    let failed = |error| StateError::Directory { path: dir.to_owned(), error };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // A running keeper creates and renames files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(StateError::Directory { path, error }),
        };
        if found.is_dir() && depth == 1 {
            continue;
        }
        if let Some(problem) = problem(&found) {
            return Err(StateError::Foreign { path, problem });
        }
        if found.is_dir() {
            check(&path, depth - 1)?;
        }
    }
    Ok(())
}

fn problem(found: &fs::Metadata) -> Option<String> {
    let mode = found.mode() & 0o777;
    if found.uid() != geteuid().as_raw() {
        Some(format!("belongs to user {}", found.uid()))
    } else if found.is_symlink() {
        Some("is a symbolic link".to_owned())
    } else {
        (mode & 0o022 != 0)
            .then(|| format!("has the mode {mode:03o}, so that others can write to it"))
    }
}
