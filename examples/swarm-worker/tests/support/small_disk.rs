//! A disk that is full on demand.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use super::state::state;

/// A disk in memory.
pub(crate) struct SmallDisk {
    dir: TempDir,
    size: usize,
}

impl SmallDisk {
    /// An empty disk of so many KiB.
    pub(crate) fn new(kib: usize) -> Self {
        let dir = state();
        let options = CString::new(format!("size={kib}k,mode=700")).unwrap();
        mount(c"small", dir.path(), c"tmpfs", MountFlags::empty(), options.as_c_str()).unwrap();
        Self { dir, size: kib << 10 }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn fill(&self) {
        let _full = fs::write(self.path().join("filler"), vec![0; self.size * 2]).unwrap_err();
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}
