use std::{
    fs::{File, Metadata, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use rustix::fs::{Mode, OFlags};

/// Locks a task's directory for its only writer. `None` if there is another writer or a reader.
///
/// The lock belongs to the open directory. It can be passed to another process with the descriptor,
/// and is released when the last copy of the descriptor is closed.
pub(crate) fn try_lock(dir: &Path) -> io::Result<Option<File>> {
    try_with(dir, File::try_lock)
}

/// Locks a task's directory for one of its readers. `None` if there is a writer.
pub(super) fn try_lock_shared(dir: &Path) -> io::Result<Option<File>> {
    try_with(dir, File::try_lock_shared)
}

fn try_with(
    dir: &Path,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> io::Result<Option<File>> {
    loop {
        let opened = open(dir)?;
        match lock(&opened) {
            Ok(()) if is_at(&opened, dir)? => return Ok(Some(opened)),
            // The directory was removed or renamed after it was opened.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether this path still leads to the open directory.
pub(super) fn is_at(opened: &File, dir: &Path) -> io::Result<bool> {
    let identity = |found: Metadata| (found.dev(), found.ino());
    Ok(identity(opened.metadata()?) == identity(dir.metadata()?))
}

fn open(dir: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(dir, flags, Mode::empty())?.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_directory_has_one_writer_or_several_readers() {
        let dir = tempfile::tempdir().unwrap();
        let writer = try_lock(dir.path()).unwrap().unwrap();
        assert!(try_lock(dir.path()).unwrap().is_none());
        assert!(try_lock_shared(dir.path()).unwrap().is_none());
        drop(writer);
        let reader = try_lock_shared(dir.path()).unwrap().unwrap();
        assert!(try_lock_shared(dir.path()).unwrap().is_some());
        assert!(try_lock(dir.path()).unwrap().is_none());
        drop(reader);
        assert!(try_lock(dir.path()).unwrap().is_some());
    }

    #[test]
    fn a_copy_of_the_descriptor_keeps_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = try_lock(dir.path()).unwrap().unwrap();
        let copy = lock.try_clone().unwrap();
        drop(lock);
        assert!(try_lock(dir.path()).unwrap().is_none());
        drop(copy);
        assert!(try_lock(dir.path()).unwrap().is_some());
    }

    #[test]
    fn the_lock_belongs_to_the_directory_and_not_to_its_path() {
        let home = tempfile::tempdir().unwrap();
        let (dir, moved) = (home.path().join("task"), home.path().join("moved"));
        fs::create_dir(&dir).unwrap();
        let lock = try_lock(&dir).unwrap().unwrap();
        fs::rename(&dir, &moved).unwrap();
        fs::create_dir(&dir).unwrap();
        assert!(!is_at(&lock, &dir).unwrap());
        assert!(try_lock(&dir).unwrap().is_some());
        assert!(try_lock(&moved).unwrap().is_none());
    }
}
