use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// A path to a socket in a directory that is short enough for an address, as long as the returned
/// directory is open. An address has room for 108 bytes, a path may have 4096.
///
/// # Errors
///
/// The directory cannot be opened.
pub fn address(dir: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let dir = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
    Ok((dir, path))
}
