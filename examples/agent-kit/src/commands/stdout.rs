//! The standard output of a subcommand.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

/// Standard output without the buffer of [`io::stdout`], which writes up to the last newline of each
/// block and keeps the rest.
///
/// # Errors
///
/// There are no more descriptors.
pub(super) fn unbuffered() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Where nobody reads any more, there is no more to be done.
pub(super) fn unless_unread(written: io::Result<()>) -> anyhow::Result<ExitCode> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
