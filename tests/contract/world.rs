//! The world outside of the agent: what exists of each task.

use crate::wrong::Wrong;
use onward::testing::contract::Workload;
use onward::testing::{Turn, VirtualTime};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

/// The world, and the executor of one kind of controller in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) time: VirtualTime,
    pub(crate) wrong: Wrong,
    pub(crate) without: Vec<Workload>,
    pub(crate) without_hooks: bool,
    /// The number of the call of `start` that fails, counted over all tasks.
    pub(crate) failing_start: Option<usize>,
    pub(crate) starts: Arc<AtomicUsize>,
    /// Whether the previous process has died.
    pub(crate) reborn: bool,
    pub(crate) works: Arc<Mutex<BTreeMap<String, Work>>>,
}

/// Everything that exists of one task.
#[derive(Clone, Default)]
pub(crate) struct Work {
    pub(crate) prepared: bool,
    pub(crate) starts: usize,
    pub(crate) started_at: Option<Duration>,
    /// Whether `start` has returned.
    pub(crate) is_up: bool,
    pub(crate) ended: Option<i32>,
    /// Whether the workload died with its process, or its result was lost with it.
    pub(crate) lost: bool,
    /// The time at which a late request starts the workload, if it has not been started.
    pub(crate) late: Option<Duration>,
    /// The settings in force after `prepare`.
    pub(crate) settings: Option<(u8, u8)>,
    /// The settings with which the workload was started.
    pub(crate) started_with: Option<(u8, u8)>,
    /// The calls that were begun or have succeeded, of all instances.
    pub(crate) happened: BTreeSet<&'static str>,
}

impl Work {
    pub(crate) fn is_running(&self) -> bool {
        self.started_at.is_some() && self.ended.is_none() && !self.lost
    }
}

impl World {
    pub(crate) fn new(time: &VirtualTime, wrong: Wrong) -> Self {
        Self {
            time: time.clone(),
            wrong,
            without: Vec::new(),
            without_hooks: false,
            failing_start: None,
            starts: Arc::default(),
            reborn: false,
            works: Arc::default(),
        }
    }

    /// The same world without these workloads.
    pub(crate) fn without(self, workloads: &[Workload]) -> Self {
        Self { without: workloads.to_vec(), ..self }
    }

    /// The same world in which this call of `start` fails, counted over all tasks.
    pub(crate) fn with_failing_start(self, number: usize) -> Self {
        Self { failing_start: Some(number), ..self }
    }

    /// The number of calls of `start`, over all tasks.
    pub(crate) fn count_starts(&self) -> usize {
        self.starts.load(Ordering::Relaxed)
    }

    /// The same world without the optional methods of `Subject`.
    pub(crate) fn without_hooks(self) -> Self {
        Self { without_hooks: true, ..self }
    }

    /// Takes two polls and some time.
    pub(crate) async fn pause(&self) {
        let mut woken = false;
        poll_fn(|context| {
            if std::mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let until = self.time.now() + Duration::from_millis(5);
        self.time.sleep_until(until, Turn::Controller).await;
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Work>> {
        self.works.lock().unwrap()
    }
}
