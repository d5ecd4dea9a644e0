//! The standard output of a subcommand.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

/// Returns standard output without the buffer of [`io::stdout`]. That buffer writes each block up
/// to its last newline and keeps the rest.
///
/// # Errors
///
/// Fails if there are no free file descriptors.
pub(super) fn unbuffered() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Treats a closed pipe as success: the reader wants no more output.
pub(super) fn unless_unread(written: io::Result<()>) -> anyhow::Result<ExitCode> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
