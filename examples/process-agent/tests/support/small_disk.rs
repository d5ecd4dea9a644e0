//! A small disk that is mounted for a test.

use std::ffi::CStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Mounts a tmpfs with these options. If that is impossible, reports that the test is skipped.
    pub(crate) fn mount(path: &Path, options: &CStr, test: &str) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        match mount("none", path, "tmpfs", MountFlags::empty(), options) {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                // The output of `eprintln` is shown only for failed tests.
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
