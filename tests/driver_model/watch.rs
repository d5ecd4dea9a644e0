//! Streams of statuses, and snapshots.

use super::follow::{equal, refused};
use super::model::{Model, Verdict};
use super::play::Woken;
use super::world::World;
use futures::Stream;
use onward::agent::Snapshot;
use onward::agent::driver::{self, DefinitionStatus};
use onward::lifecycle::TaskStatus;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(crate) struct Watches(Vec<Watch>);

struct Watch {
    stream: driver::Watch<u64, TaskStatus>,
    woken: Arc<Woken>,
    /// The number of reports at its last item.
    seen: Option<u32>,
    last: Option<TaskStatus>,
    waits: bool,
}

impl Watches {
    pub(crate) fn open(&mut self, world: &World) {
        if let Some(handle) = &world.lock().handle {
            let (stream, woken) = (handle.watch(), Arc::default());
            self.0.push(Watch { stream, woken, seen: None, last: None, waits: false });
        }
    }

    pub(crate) fn close(&mut self) {
        self.0.pop();
    }

    pub(crate) fn poll(&mut self, world: &World) {
        for watch in &mut self.0 {
            let verdict = watch.poll(world);
            world.complain(verdict);
        }
    }

    /// After the end of the driver, each stream returns its last item, and then ends.
    pub(crate) fn end(&mut self, world: &World) {
        self.poll(world);
        self.poll(world);
    }

    /// Checks that a stream that waits was woken by new reports and by the end.
    pub(crate) fn check_woken(&self, world: &World) {
        let (reports, ended) = {
            let model = &world.lock().model;
            (model.record.reports, model.ended)
        };
        let asleep = |watch: &&Watch| {
            watch.waits && (watch.seen != Some(reports) || ended) && !watch.woken.is()
        };
        if self.0.iter().any(|watch| asleep(&watch)) {
            world.complain(Err("a watcher was not woken".into()));
        }
    }
}

impl Watch {
    fn poll(&mut self, world: &World) -> Verdict {
        self.woken.take();
        let waker = Waker::from(self.woken.clone());
        let poll = Pin::new(&mut self.stream).poll_next(&mut Context::from_waker(&waker));
        let model = &world.lock().model;
        let reports = model.record.reports;
        self.waits = poll.is_pending();
        let news = self.seen.replace(reports) != Some(reports);
        // A status that is equal to the last item is not a change.
        let must = if news && self.last.as_ref() != Some(&model.record.status) {
            Poll::Ready(Some(model.record.status.clone()))
        } else if model.ended {
            Poll::Ready(None)
        } else {
            Poll::Pending
        };
        let Poll::Ready(Some(status)) = &poll else { return equal("watch", &poll, &must) };
        let before = self.last.replace(status.clone());
        if before.is_some_and(|before| before.state > status.state) {
            return Err(format!("a watcher saw the state fall to {}", status.state));
        }
        equal("watch", &poll, &must)
    }
}

/// Compares a snapshot with the trace.
pub(crate) fn compare(model: &mut Model, snapshot: &Snapshot) -> Verdict {
    if let Some(reason) = model.may_be_refused.take()
        && snapshot.definition == DefinitionStatus::Refused(reason.clone())
    {
        (model.changed, model.offered) = (false, None);
        refused(model, model.version, reason);
    }
    let record = &model.record;
    equal("snapshot: status", &snapshot.status, &record.status)?;
    equal("snapshot: desired state", &snapshot.desired_state, &model.desired)?;
    equal("snapshot: definition", &snapshot.definition, &definition(model))?;
    equal("snapshot: last error", &snapshot.last_error, &model.last_error)?;
    equal("snapshot: progress", &snapshot.progress, &None)?;
    equal("snapshot: since", &snapshot.since, &record.since)?;
    equal("snapshot: shutting down", &snapshot.shutting_down_since, &record.shutting_down)?;
    equal("snapshot: terminating", &snapshot.terminating_since, &record.terminating)?;
    let history: Vec<_> = snapshot.history.iter().map(|entry| (entry.at, entry.event)).collect();
    equal("snapshot: history", &history, &record.history)?;
    equal("snapshot: has ended", &snapshot.driver_has_ended, &model.ended)?;
    if !model.ended {
        equal("snapshot: attempt", &snapshot.attempt, &model.attempt())?;
        next_attempt(model, snapshot)?;
    }
    Ok(())
}

fn definition(model: &Model) -> DefinitionStatus {
    match (&model.refused, model.applied) {
        (Some(reason), _) => DefinitionStatus::Refused(reason.clone()),
        (None, None) => DefinitionStatus::Pending,
        (None, Some(applied)) if applied == model.version => DefinitionStatus::Applied,
        (None, Some(_)) => DefinitionStatus::Outdated,
    }
}

fn next_attempt(model: &mut Model, snapshot: &Snapshot) -> Verdict {
    match (model.next_attempt(), snapshot.next_attempt) {
        (None, None) => Ok(()),
        (Some(window), Some(at)) if window.contains(at) => {
            *window = super::model::exactly(at);
            Ok(())
        }
        (retry, next) => Err(format!("snapshot: next attempt is {next:?}: expected {retry:?}")),
    }
}
