use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// Returns a short path to a socket in a directory. A socket address has room for 108 bytes, but a
/// path can have 4096. The path is valid as long as the returned directory is open.
///
/// # Errors
///
/// Fails if the directory cannot be opened.
pub fn address(dir: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let dir = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
    Ok((dir, path))
}
