//! Damaged files, and file systems that are full or read-only.

use onward::agent::store::OpenStoreError;
use std::fs;
use std::path::Path;

/// Asserts that opening a file fails with this text and does not change the file.
#[track_caller]
pub(crate) fn is_refused<T>(
    path: &Path,
    open: impl FnOnce(&Path) -> Result<T, OpenStoreError>,
    words: &str,
) {
    let bytes = fs::read(path).ok();
    let Err(error) = open(path) else { panic!("{} was opened", path.display()) };
    assert_eq!(error.to_string(), format!("{}: {words}", path.display()));
    assert!(fs::read(path).ok() == bytes, "{words}: the file was written");
}

#[cfg(target_os = "linux")]
pub(crate) use linux::Disk;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
    use std::fs;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};

    /// A file system of 8 MiB, which is unmounted when it is dropped.
    pub(crate) struct Disk(pub(crate) PathBuf);

    impl Disk {
        /// None, with a message, if this user may not mount one.
        pub(crate) fn mount(directory: &Path, test: &str) -> Option<Self> {
            let path = directory.join("disk");
            fs::create_dir(&path).unwrap();
            match mount("none", &path, "tmpfs", MountFlags::empty(), c"size=8m") {
                Ok(()) => Some(Self(path)),
                Err(error) => {
                    // Not by `eprintln`, which is shown only for tests that fail.
                    let why = format!("skipped: {test} (a tmpfs cannot be mounted: {error})\n");
                    std::io::stderr().write_all(why.as_bytes()).unwrap();
                    None
                }
            }
        }

        /// Fills the file system.
        pub(crate) fn fill(&self) {
            let full = fs::write(self.0.join("fill"), vec![1; 9 << 20]);
            assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        }

        /// Makes room on the file system.
        pub(crate) fn clear(&self) {
            fs::remove_file(self.0.join("fill")).unwrap();
        }

        /// Makes the file system read-only.
        pub(crate) fn protect(&self) {
            mount_remount(&self.0, MountFlags::RDONLY, c"").unwrap();
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            unmount(&self.0, UnmountFlags::DETACH).unwrap();
        }
    }
}
