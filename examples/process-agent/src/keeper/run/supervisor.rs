//! The event loop of a keeper: signals, clients, ends of processes and deadlines, in one thread.

use std::{io::PipeWriter, time::Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::keeper::{
    complain::complain,
    control::Server,
    ending::{Ending, LeaderEnd},
    removal_watch::RemovalWatch,
    signals::Signals,
    state::{OutputState, Report, Reported},
};

/// The events of a keeper that do not come from its workload.
#[derive(Debug)]
pub(super) struct Supervisor {
    server: Server,
    signals: Signals,
    watch: RemovalWatch,
    report: Report,
}

impl Supervisor {
    pub(super) fn new(server: Server, signals: Signals, watch: RemovalWatch) -> Self {
        let report = Report { state: Reported::Starting, log_error: None };
        let mut supervisor = Self { server, signals, watch, report };
        supervisor.server.publish(&supervisor.report);
        supervisor
    }

    /// Reports a new state to the clients.
    pub(super) fn report(&mut self, state: Reported) {
        self.report.state = state;
        self.server.publish(&self.report);
    }

    /// Runs until no process of the workload is left and its output is written. Closes `ended` in
    /// between, so that the output ends.
    pub(super) fn attend(
        &mut self,
        ending: &mut Ending,
        mut output: OutputState,
        ended: PipeWriter,
    ) -> LeaderEnd {
        let mut ended = Some(ended);
        loop {
            self.take_requests(ending);
            let log_error = output.log_error();
            if self.report.log_error != log_error {
                self.report.log_error = log_error;
                self.server.publish(&self.report);
            }
            if let Some(end) = ending.advance() {
                ended = None;
                if output.is_finished() {
                    return end;
                }
            }
            self.wait(ending, &output, ended.is_none());
        }
    }

    /// Waits until each client has received the last state, or does not read.
    pub(super) fn finish(mut self) {
        self.server.finish();
    }

    fn take_requests(&mut self, ending: &mut Ending) {
        self.signals.clear();
        let served = self.server.serve();
        let has_requests = !served.requests.is_empty();
        for request in served.requests {
            if request.kill {
                ending.kill();
            } else if request.stop {
                ending.stop();
            }
        }
        if self.signals.stop() {
            ending.stop();
        }
        // A client that disconnects may have removed the directory. A process that wakes the keeper
        // may have found none.
        if self.signals.continued() || served.left || has_requests {
            self.watch.hurry();
        }
        if ending.runs() && self.watch.is_removed() {
            complain("the task's directory was removed: stopping the task");
            ending.stop();
        }
    }

    /// Waits for the next event.
    fn wait(&self, ending: &Ending, output: &OutputState, is_over: bool) {
        let mut fds = vec![self.signals.poll_fd()];
        fds.extend(self.server.poll_fds());
        fds.extend(output.poll_fd());
        if !is_over {
            fds.extend(ending.events().map(|events| PollFd::new(events, PollFlags::PRI)));
        }
        let watch = ending.runs().then(|| self.watch.wakes_at(self.server.has_clients()));
        let wakes_at = [watch, ending.wakes_at().filter(|_| !is_over), self.server.wakes_at()];
        let wakes_at = wakes_at.into_iter().flatten().min();
        let left = wakes_at.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        // An interrupted poll counts as ready, because no later call blocks.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}
