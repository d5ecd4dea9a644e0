//! Runs all tests of a file again, where no cgroup can be created.

use std::io::Write as _;
use std::process::{Command, Stdio};

#[allow(dead_code)] // one of its functions is used
#[path = "child.rs"]
pub(crate) mod child;

/// Set for tests that run with read-only cgroup file systems.
const MARK: &str = "TEST_WITHOUT_CGROUP";

#[allow(dead_code)] // not each test file uses it
pub(crate) fn is_without_cgroup() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs this program's tests in a mount namespace with read-only cgroups. `test` is the name of the
/// caller, which is skipped.
pub(crate) fn run_again(test: &str) {
    if is_without_cgroup() {
        return;
    }
    let script = "
        findmnt -n -l -t cgroup2 -o TARGET | while read -r mount; do
            mount -o remount,bind,ro \"$mount\" || exit 1
        done || exit 77
        exec \"$@\"
    ";
    let possible = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        return skip(test, "no mount namespace can be made");
    }
    let mut again = Command::new("unshare");
    again.args(["--mount", "sh", "-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    again.args(["--skip", test]).env(MARK, "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = child::ended(again.spawn().unwrap());
    if output.status.code() == Some(77) {
        return skip(test, "the cgroups cannot be made read-only");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "without a cgroup:\n{said}\n{errors}");
}

pub(crate) fn skip(test: &str, why: &str) {
    // The output of `eprintln` is shown only for failed tests.
    std::io::stderr().write_all(format!("skipped: {test} ({why})\n").as_bytes()).unwrap();
}
