//! Checks that everything in a state belongs to its owner.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::error::StateError;

/// Checks what is in the directory of a state, and in the directories below it, down to `depth`.
///
/// Nobody else can write into a state. But a directory can have been open to others before it
/// became a state, and parts of it can have been restored or given away. The agent would read and
/// write what others have put there.
///
/// At the last depth, directories are not looked at: a task may do with its own as it likes.
///
/// # Errors
///
/// The first entry that belongs to another user, that others can write to, or that leads elsewhere.
pub(super) fn check(dir: &Path, depth: u32) -> Result<(), StateError> {
    let failed = |error| StateError::Directory { path: dir.to_owned(), error };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // A keeper that still runs makes and renames files.
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
