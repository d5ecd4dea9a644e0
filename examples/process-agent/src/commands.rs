//! What the program can do, each as a module.

pub(crate) mod logs;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod stop;

use std::io;
use std::process::ExitCode;

/// Where nobody reads any more, there is no more to be done.
fn unless_unread(written: io::Result<()>) -> anyhow::Result<ExitCode> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
