//! A small disk, for as long as it lives.

use std::ffi::CStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// A tmpfs with these options; says that this test is skipped where there can be none.
    pub(crate) fn mount(path: &Path, options: &CStr, test: &str) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        match mount("none", path, "tmpfs", MountFlags::empty(), options) {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                // Not by `eprintln`, which is shown for tests that fail only.
                let why = format!("skipped: {test} (a tmpfs cannot be mounted: {error})\n");
                std::io::stderr().write_all(why.as_bytes()).unwrap();
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}
