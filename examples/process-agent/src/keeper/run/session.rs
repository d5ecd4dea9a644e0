use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter},
    path::Path,
    process::Child,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rustix::{
    fs::{AtFlags, statat},
    io::Errno,
    process::{Pid, WaitOptions, getpid},
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use time::UtcDateTime;

use super::{Launched, tell};
use crate::{
    keeper::{
        complain,
        control::Server,
        exit::{Ended, Exit},
        files::{self, KeeperRecord, Spec},
        output,
        procfs::{self, Process},
        state::Shared,
        sweep::kill_family,
        workload,
    },
    log::LogWriter,
    process_state::{self, Inherited},
};

/// Everything that had to succeed before the workload may be started.
pub(super) struct Session<'a> {
    dir: &'a Path,
    spec: Spec,
    shared: Arc<Shared>,
    server: Arc<Server>,
    record: KeeperRecord,
    exit: File,
    log: LogWriter,
    inherited: &'a Inherited,
}

impl<'a> Session<'a> {
    pub(super) fn open(dir: &'a Path, spec: Spec, inherited: &'a Inherited) -> io::Result<Self> {
        let definition = &spec.definition;
        let exit = files::open_exit(dir)?;
        // A log that may not grow further is rotated.
        let log_max_size = definition.log_max_size.min(process_state::largest_file());
        let log = LogWriter::open(dir, log_max_size, definition.log_files)?;
        let shared = Arc::new(Shared::new(definition.stop_signal.signal(), definition.stop_grace));
        let server = Server::start(dir, Arc::clone(&shared))?;
        let record = KeeperRecord {
            keeper: Process::of(getpid())?,
            workload: None,
            boot_id: procfs::boot_id()?,
            started_at: UtcDateTime::now(),
        };
        Ok(Self { dir, spec, shared, server, record, exit, log, inherited })
    }

    /// Starts the workload and returns when all is over and told.
    pub(super) fn run(mut self) -> io::Result<()> {
        let children = Arc::new(Children::default());
        handle_signals(&self.shared, &children)?;
        self.keep_watch()?;
        let end = io::pipe()?;
        // From here on the start counts: it is not tried again.
        files::write(self.dir, files::KEEPER, &self.record)?;
        let started = UtcDateTime::now();
        let mut workload = children.lock();
        let started_or_not = self.inherited.give_to(|| workload::start(self.dir, &self.spec));
        *workload = started_or_not.as_ref().ok().map(Pid::from_child);
        drop(workload);
        let exit = match started_or_not {
            Err(refused) => Exit::NotStarted(refused),
            Ok(child) => {
                let pid = Pid::from_child(&child);
                self.record_workload(pid);
                self.shared.running(pid, started);
                tell(&Launched::Started);
                let copying = copy_output(child, self.log, end.0, &self.shared);
                Exit::Ended(attend(pid, started, &self.shared, &children, copying, end.1)?)
            }
        };
        files::write_exit(&self.exit, &exit)?;
        self.shared.exited(exit);
        tell(&Launched::Started);
        self.server.finish();
        Ok(())
    }

    /// In a thread of its own. It looks at the directory that is held open, so that neither a
    /// rename nor another directory in its place is taken for a removal.
    fn keep_watch(&self) -> io::Result<()> {
        let (shared, token) = (Arc::clone(&self.shared), self.spec.token.clone());
        let dir = File::open(self.dir)?;
        // Only this answer says that it is gone; a disk that fails says nothing.
        let is_there = move || {
            let found = statat(&dir, files::KEEPER, AtFlags::SYMLINK_NOFOLLOW);
            !matches!(found, Err(Errno::NOENT))
        };
        let me = getpid().as_raw_nonzero().get();
        // What cannot be killed is told by `workload::kill_all`.
        let kill_family = move || _ = kill_family(me, Some(&token));
        thread::Builder::new().spawn(move || shared.keep(is_there, kill_family)).map(drop)
    }

    /// Not having it is no reason to end: the token finds the workload too.
    fn record_workload(&mut self, pid: Pid) {
        self.record.workload = Process::of(pid).ok();
        if let Err(error) = files::write(self.dir, files::KEEPER, &self.record) {
            complain(&format!("keeper.json cannot be written: {error}"));
        }
    }
}

/// Without its output being read, a workload would block sooner or later: it is killed.
fn copy_output(
    mut child: Child,
    log: LogWriter,
    end: PipeReader,
    shared: &Arc<Shared>,
) -> Option<JoinHandle<()>> {
    let (stdout, stderr) = (child.stdout.take()?, child.stderr.take()?);
    match output::copy(stdout, stderr, end, log, Arc::clone(shared)) {
        Ok(copying) => Some(copying),
        Err(error) => {
            complain(&format!("the output cannot be read: {error}"));
            shared.kill();
            None
        }
    }
}

/// From the start of the workload until nothing of it is left and its output is written.
fn attend(
    pid: Pid,
    started: UtcDateTime,
    shared: &Shared,
    children: &Children,
    copying: Option<JoinHandle<()>>,
    end: PipeWriter,
) -> io::Result<Ended> {
    let status = workload::wait(pid)?;
    let finished = UtcDateTime::now();
    let waiting = children.lock();
    let by = shared.ended();
    workload::reap(pid, WaitOptions::empty());
    workload::kill_all();
    drop(waiting);
    drop(end);
    if let Some(copying) = copying {
        let _ = copying.join();
    }
    let (code, signal) = workload::code(&status);
    Ok(Ended { code, signal, started, finished, by })
}

/// The right to wait for children, and the child that only [`Session::attend`] may wait for.
#[derive(Default)]
struct Children(Mutex<Option<Pid>>);

impl Children {
    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `TERM` and `INT` mean stop; `HUP` means nothing. They are handled, not ignored: a handler is
/// not handed down to the workload.
fn handle_signals(shared: &Arc<Shared>, children: &Arc<Children>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD])?;
    let (shared, children) = (Arc::clone(shared), Arc::clone(children));
    thread::Builder::new().spawn(move || {
        for signal in &mut signals {
            match signal {
                SIGTERM | SIGINT => shared.stop(),
                SIGCHLD => {
                    if let Some(workload) = *children.lock() {
                        workload::reap_orphans(workload);
                    }
                }
                _ => {}
            }
        }
    })?;
    Ok(())
}
