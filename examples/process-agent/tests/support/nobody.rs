//! Runs programs as an ordinary user.

use std::io::Write as _;
use std::process::Command;

/// Returns a command that runs another one, given as arguments, as the user 65534. If this process
/// cannot become that user, it reports that the test is skipped.
pub(crate) fn as_nobody(test: &str) -> Option<Command> {
    let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(user);
    let tried = Command::new("setpriv").args(user).arg("true").status();
    if tried.is_ok_and(|status| status.success()) {
        return Some(command);
    }
    // The output of `eprintln` is shown only for failed tests.
    let why = format!("skipped: {test} (nobody can become an ordinary user here)\n");
    std::io::stderr().write_all(why.as_bytes()).unwrap();
    None
}
