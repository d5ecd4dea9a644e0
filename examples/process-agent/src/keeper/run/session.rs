//! Starts a keeper's workload, and records its end.

use std::{fs::File, io, path::Path, process::Child};

use rustix::process::{Pid, getpid};
use time::UtcDateTime;

use super::{Launched, supervisor::Supervisor, tell};
use crate::{
    keeper::{
        complain::complain,
        control::Server,
        ending::Ending,
        exit::{Ended, Exit},
        files::{self, KeeperRecord, Spec},
        members::{Choice, Members, Tracking},
        output,
        procfs::{self, Process},
        removal_watch::RemovalWatch,
        signals::Signals,
        state::{Reported, Shared},
        workload,
    },
    log::LogWriter,
    process_state::{self, Inherited},
};

/// Everything that must succeed before the workload is started.
pub(super) struct Session<'a> {
    dir: &'a Path,
    spec: Spec,
    supervisor: Supervisor,
    record: KeeperRecord,
    exit: File,
    log: LogWriter,
    inherited: &'a Inherited,
}

impl<'a> Session<'a> {
    pub(super) fn open(dir: &'a Path, spec: Spec, inherited: &'a Inherited) -> io::Result<Self> {
        let definition = &spec.definition;
        let exit = files::open_exit(dir)?;
        // Rotate the log before it reaches the limit on the size of files.
        let log_max_size = definition.log_max_size.min(process_state::largest_file());
        let log = LogWriter::open(dir, log_max_size, definition.log_files)?;
        let server = Server::bind(dir)?;
        let supervisor = Supervisor::new(server, Signals::handle()?, RemovalWatch::new(dir)?);
        let record = KeeperRecord {
            keeper: Process::of(getpid())?,
            workload: None,
            cgroup: None,
            tracking: None,
            boot_id: procfs::boot_id()?,
            started_at: UtcDateTime::now(),
        };
        Ok(Self { dir, spec, supervisor, record, exit, log, inherited })
    }

    /// Starts the workload. Returns when it has ended and the end is reported.
    pub(super) fn run(mut self) -> io::Result<()> {
        let (end, ended) = io::pipe()?;
        let (shared, output) = Shared::new()?;
        let choice = Choice::of(&self.spec.token);
        self.record.cgroup = choice.cgroup().map(Path::to_owned);
        // From here on the task counts as started, and is never started again.
        files::write(self.dir, files::KEEPER, &self.record)?;
        let started = UtcDateTime::now();
        let start = || self.inherited.give_to(|| workload::start(self.dir, &self.spec));
        let (child, members) = choice.start_in(start);
        let exit = match child {
            Err(refused) => {
                members.remove();
                Exit::NotStarted(refused)
            }
            Ok(child) => {
                let leader = Pid::from_child(&child);
                self.record_workload(leader, &members);
                let pid = leader.as_raw_nonzero().get();
                let tracking = Some(members.tracking());
                self.supervisor.report(Reported::Running { pid, since: started, tracking });
                tell(&Launched::Started);
                let definition = &self.spec.definition;
                let (signal, grace) = (definition.stop_signal.signal(), definition.stop_grace);
                let mut ending = Ending::new(members, leader, signal, grace);
                if let Err(error) = copy_output(child, self.log, end, shared) {
                    // If nothing read its output, the workload would block sooner or later.
                    complain(&format!("cannot read the output of the workload: {error}"));
                    ending.kill();
                }
                let end = self.supervisor.attend(&mut ending, output, ended);
                ending.members().remove();
                let (code, signal) = workload::code(end.status);
                let (finished, by) = (end.finished, end.by);
                Exit::Ended(Ended { code, signal, started, finished, by })
            }
        };
        files::write_exit(&self.exit, &exit)?;
        self.supervisor.report(Reported::Exited { exit });
        tell(&Launched::Started);
        self.supervisor.finish();
        Ok(())
    }

    /// Records the process of the workload. An error is not fatal, because the token identifies the
    /// workload too.
    fn record_workload(&mut self, pid: Pid, members: &Members) {
        self.record.workload = Process::of(pid).ok();
        self.record.tracking = Some(members.tracking());
        if members.tracking() != Tracking::Cgroup {
            self.record.cgroup = None;
        }
        if let Err(error) = files::write(self.dir, files::KEEPER, &self.record) {
            complain(&format!("cannot write keeper.json: {error}"));
        }
    }
}

fn copy_output(
    mut child: Child,
    log: LogWriter,
    end: io::PipeReader,
    shared: Shared,
) -> io::Result<()> {
    let missing = || io::Error::other("the workload has no pipes");
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    output::copy(stdout, stderr, end, log, shared)
}
