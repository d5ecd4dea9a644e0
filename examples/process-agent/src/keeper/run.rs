mod launcher;
mod session;
mod supervisor;

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{getpid, set_child_subreaper, setsid},
    stdio::{dup2_stdin, stdin},
    thread::set_name,
};
use serde::{Deserialize, Serialize};

use super::{
    complain::complain,
    files::{self, Spec},
    lock,
};
use crate::process_state::{self, Inherited};
use session::Session;

/// Which part of a keeper's start a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Starts the keeper, waits until it can be talked to, and exits. So the keeper is nobody's
    /// child who would have to wait for it: neither the agent nor, after the
    /// agent's death, the next one. The system's process 1 waits for it; where the agent is
    /// process 1, see [`init`](crate::init).
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
/// keeper lives. Standard input is the task's directory, locked.
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
    let own = process_state::take_over();
    let of_agent =
        env::var(process_state::INHERITED_VARIABLE).ok().and_then(|text| text.parse().ok());
    let inherited: Inherited = of_agent.unwrap_or(own);
    let told = match stage {
        Stage::Launch => launcher::launch(dir, &inherited),
        Stage::Keep => keep(dir, &inherited),
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

fn keep(dir: &Path, inherited: &Inherited) -> io::Result<()> {
    let _ = setsid(); // refused to whom is a leader already
    set_child_subreaper(Some(getpid()))?;
    let (dir, _lock) = take_lock(dir)?;
    // So that no directory of the agent's is in use because of a task.
    env::set_current_dir("/")?;
    if dir.join(files::KEEPER).try_exists()? {
        let started = format!("a keeper has been in {} already", dir.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, started));
    }
    let spec: Spec = files::read(&dir, files::SPEC)?.ok_or_else(|| {
        let missing = format!("{} is not prepared: it has no spec.json", dir.display());
        io::Error::new(io::ErrorKind::NotFound, missing)
    })?;
    Session::open(&dir, spec, inherited)?.run()
}

/// Takes the lock from standard input, which has been handed down from the agent, so that there
/// was no moment at which another writer could have had it. Returns the directory's path without
/// symbolic links, and the lock.
fn take_lock(dir: &Path) -> io::Result<(PathBuf, File)> {
    let lock = File::from(fcntl_dupfd_cloexec(stdin(), 3)?);
    dup2_stdin(File::open("/dev/null")?)?;
    let dir = dir.canonicalize()?;
    // It is held by this descriptor already, unless somebody else has started this process.
    if !lock::is_at(&lock, &dir)? || lock.try_lock().is_err() {
        let not_it = format!("standard input is not {} with its lock", dir.display());
        return Err(io::Error::other(not_it));
    }
    Ok((dir, lock))
}

/// Tells the launcher, which reads one line only and may be gone.
fn tell(what: &Launched) {
    if let Ok(line) = serde_json::to_string(what) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}
