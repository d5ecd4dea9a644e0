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

/// The role of a process during a keeper's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Starts the keeper, waits until its socket is ready, and exits. So the keeper is not a child
    /// of an agent, which would have to reap it. Process 1 of the system reaps it. If the agent is
    /// process 1, see [`init`](crate::init).
    Launch,
    /// Runs as the keeper.
    Keep,
}

/// The report of a keeper to its launcher, which passes it to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Launched {
    /// The workload was started, or its exit record says why not.
    Started,
    /// The keeper failed, and started nothing.
    Failed {
        reason: String,
        /// The system's error number, if the system refused the start.
        errno: Option<i32>,
    },
}

/// Runs the keeper or its launcher, if the arguments of the program ask for it. The launcher is the
/// hidden subcommand `keeper DIR`. It runs the same program as `keeper --keep DIR`. A parser for
/// the arguments would take memory for as long as the keeper lives, so there is none. Standard
/// input must be the task's directory, locked.
///
/// Call it while the process has one thread, before any runtime is created.
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

/// Returns when no process of the workload is left.
fn run(dir: &Path, stage: Stage) -> ExitCode {
    // Both run as `/proc/self/exe`, so their name would be `exe`.
    let _ = set_name(c"process-agent");
    let own = process_state::take_over();
    let of_agent =
        env::var(process_state::INHERITED_VARIABLE).ok().and_then(|text| text.parse().ok());
    let inherited: Inherited = of_agent.unwrap_or(own);
    let launched = match stage {
        Stage::Launch => launcher::launch(dir, &inherited),
        Stage::Keep => keep(dir, &inherited),
    };
    match launched {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            tell(&Launched::Failed { reason: error.to_string(), errno: error.raw_os_error() });
            ExitCode::FAILURE
        }
    }
}

fn keep(dir: &Path, inherited: &Inherited) -> io::Result<()> {
    let _ = setsid(); // fails if it is a session leader already
    set_child_subreaper(Some(getpid()))?;
    let (dir, _lock) = take_lock(dir)?;
    // The current directory must not keep a directory of the agent in use.
    env::set_current_dir("/")?;
    if dir.join(files::KEEPER).try_exists()? {
        let started = format!("{} was already used by a keeper", dir.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, started));
    }
    let spec: Spec = files::read(&dir, files::SPEC)?.ok_or_else(|| {
        let missing = format!("{} is not prepared: spec.json is missing", dir.display());
        io::Error::new(io::ErrorKind::NotFound, missing)
    })?;
    Session::open(&dir, spec, inherited)?.run()
}

/// Takes the lock from standard input. The agent has passed it on, so no other writer could get it
/// in between. Returns the directory's path without symbolic links, and the lock.
fn take_lock(dir: &Path) -> io::Result<(PathBuf, File)> {
    let lock = File::from(fcntl_dupfd_cloexec(stdin(), 3)?);
    dup2_stdin(File::open("/dev/null")?)?;
    let dir = dir.canonicalize()?;
    // The descriptor already has the lock, unless another program has started this process.
    if !lock::is_at(&lock, &dir)? || lock.try_lock().is_err() {
        let not_it = format!("standard input is not the locked directory {}", dir.display());
        return Err(io::Error::other(not_it));
    }
    Ok((dir, lock))
}

/// Reports to the launcher, which reads one line only and may be gone.
fn tell(what: &Launched) {
    if let Ok(line) = serde_json::to_string(what) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}
