mod session;
mod supervisor;

use std::{
    ffi::OsString,
    fs::{OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use rustix::{
    process::{getpid, set_child_subreaper, setsid},
    thread::set_name,
};
use serde::{Deserialize, Serialize};

use super::{
    complain,
    files::{self, Spec},
};
use session::Session;

/// Which part of a keeper's start a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Starts the keeper, waits until it can be talked to, and exits. So the keeper is nobody's
    /// child who would have to wait for it: neither the agent nor, after the
    /// agent's death, the next one. An agent that is process 1 needs an `init` in front of it.
    Launch,
    /// Is the keeper.
    Keep,
}

/// What a keeper tells its launcher, and the launcher tells the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Launched {
    /// The workload was started, or it is written down why not.
    Started,
    /// Another keeper holds the lock.
    Busy,
    /// A keeper was here and is gone.
    Finished,
    /// It could not come to a start; nothing was started.
    Failed {
        reason: String,
        /// The system's error number, if it was the system that refused.
        errno: Option<i32>,
    },
}

/// Runs the keeper or its launcher, if the arguments of the program ask for it: the hidden
/// subcommand `keeper DIR`, and `keeper --keep DIR`, by which the launcher runs the same program as
/// the keeper itself. They are read without a parser, which would take memory for as long as the
/// keeper lives.
///
/// Must be called while the process has one thread, before any runtime is made.
#[must_use]
pub fn run_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != "keeper" {
        return None;
    }
    let first = arguments.next()?;
    let (dir, stage) =
        if first == "--keep" { (arguments.next()?, Stage::Keep) } else { (first, Stage::Launch) };
    Some(run(Path::new(&dir), stage))
}

/// Returns when the workload has ended and nothing of it is left.
fn run(dir: &Path, stage: Stage) -> ExitCode {
    // Both are started as `/proc/self/exe`, and would be called `exe` in a list of processes.
    let _ = set_name(c"process-agent");
    let told = match stage {
        Stage::Launch => launch(dir),
        Stage::Keep => keep(dir),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            tell(&Launched::Failed { reason: error.to_string(), errno: error.raw_os_error() });
            ExitCode::FAILURE
        }
    }
}

fn launch(dir: &Path) -> io::Result<()> {
    // Not the path of the program: it may have been replaced by another version.
    let mut keeper = Command::new("/proc/self/exe")
        .arg0("process-agent")
        .args(["keeper", "--keep"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = keeper.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        return Err(io::Error::other("the keeper died at its start"));
    }
    let _ = io::stdout().write_all(line.as_bytes()); // the agent may be gone
    Ok(())
}

fn keep(dir: &Path) -> io::Result<()> {
    let _ = setsid(); // refused to whom is a leader already
    set_child_subreaper(Some(getpid()))?;
    let dir = &dir.canonicalize()?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(files::LOCK))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            complain(&format!("another keeper has the lock in {}", dir.display()));
            tell(&Launched::Busy);
            return Ok(());
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if dir.join(files::KEEPER).try_exists()? {
        complain(&format!("a keeper has been in {} already", dir.display()));
        tell(&Launched::Finished);
        return Ok(());
    }
    let spec: Spec = files::read(dir, files::SPEC)?.ok_or_else(|| {
        let missing = format!("{} is not prepared: it has no spec.json", dir.display());
        io::Error::new(io::ErrorKind::NotFound, missing)
    })?;
    Session::open(dir, spec)?.run()
}

/// Tells the launcher, which reads one line only and may be gone.
fn tell(what: &Launched) {
    if let Ok(line) = serde_json::to_string(what) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}
