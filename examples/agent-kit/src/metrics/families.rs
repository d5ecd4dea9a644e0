use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use onward::TaskState;
use onward::lifecycle::{Actor, EDGES};
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Upper bounds of the durations of calls, in seconds. A `wait` can take days.
const CALL_SECONDS: [f64; 12] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// Upper bounds of the durations of commits, in seconds.
const COMMIT_SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Every metric of an agent.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tasks: IntGaugeVec,
    transitions: IntCounterVec,
    retries: IntCounterVec,
    deadlines: IntCounterVec,
    terminations: IntCounter,
    refusals: IntCounterVec,
    calls: HistogramVec,
    commits: IntCounter,
    commit_failures: IntCounter,
    commit_seconds: Histogram,
    unstored_age: Gauge,
    open_descriptors: Gauge,
    max_descriptors: Gauge,
    /// Why the last commit of the store failed. `None` if it succeeded.
    store_error: Mutex<Option<String>>,
    /// Held while the metrics are written, so that another request does not change the gauges.
    gathering: Mutex<()>,
}

/// Values that are read only when a client asks for the metrics.
#[derive(Debug)]
pub(super) struct Now {
    /// The state of each task.
    pub(super) states: Vec<TaskState>,
    /// How long the oldest unstored status has been waiting.
    pub(super) unstored_age: Duration,
    /// Open file descriptors. NaN if the number is unknown.
    pub(super) open_descriptors: f64,
    /// The limit on open file descriptors.
    pub(super) max_descriptors: f64,
}

impl Metrics {
    /// Makes all metrics, with all counters at 0.
    ///
    /// # Errors
    ///
    /// Fails only by a bug in this module: two metrics have the same name, or a name is not valid.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            registered(&registry, IntCounter::with_opts(Opts::new(name, help))?)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str| {
            registered(&registry, Gauge::with_opts(Opts::new(name, help))?)
        };
        let buckets = |name: &str, help: &str, bounds: &[f64]| {
            HistogramOpts::new(name, help).buckets(bounds.to_vec())
        };
        let calls = buckets(
            "onward_operation_duration_seconds",
            "Durations of calls of the executor and its controllers, by operation and outcome.",
            &CALL_SECONDS,
        );
        let commit_seconds = buckets(
            "onward_commit_duration_seconds",
            "Durations of commits of the store, including failed ones.",
            &COMMIT_SECONDS,
        );
        let tasks = Opts::new("onward_tasks", "Tasks by state.");
        let metrics = Self {
            tasks: registered(&registry, IntGaugeVec::new(tasks, &["state"])?)?,
            transitions: counters(
                "onward_transitions_total",
                "Changes of state.",
                &["from", "to"],
            )?,
            retries: counters(
                "onward_retries_total",
                "Retries after a temporary error.",
                &["operation"],
            )?,
            deadlines: counters(
                "onward_deadlines_passed_total",
                "Operations whose deadline expired, retries included.",
                &["operation"],
            )?,
            terminations: counter("onward_terminations_total", "Tasks whose workload was killed.")?,
            refusals: counters(
                "onward_refusals_total",
                "Refused definitions, assignments and task files.",
                &["kind"],
            )?,
            calls: registered(&registry, HistogramVec::new(calls, &["operation", "outcome"])?)?,
            commits: counter(
                "onward_commits_total",
                "Commits of the store, including failed ones.",
            )?,
            commit_failures: counter(
                "onward_commit_failures_total",
                "Failed commits of the store.",
            )?,
            commit_seconds: registered(&registry, Histogram::with_opts(commit_seconds)?)?,
            unstored_age: gauge(
                "onward_unstored_status_age_seconds",
                "Age of the oldest status that is not stored; 0 if all are stored.",
            )?,
            open_descriptors: gauge("process_open_fds", "Number of open file descriptors.")?,
            max_descriptors: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            store_error: Mutex::new(None),
            gathering: Mutex::new(()),
            registry: registry.clone(),
        };
        let started = gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        )?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        started.set(now.as_secs_f64());
        let build =
            Opts::new("onward_build_info", "The version of the agent, as a label; always 1.")
                .const_label("version", env!("CARGO_PKG_VERSION"));
        registered(&registry, Gauge::with_opts(build)?)?.set(1.0);
        metrics.begin();
        Ok(metrics)
    }

    /// Sets counters with known labels to 0. A rate does not see the first event of a counter that
    /// appears with that event.
    fn begin(&self) {
        for row in EDGES.iter().filter(|row| row.by.contains(&Actor::Agent)) {
            add(&self.transitions, &[row.from.as_str(), row.to.as_str()], 0);
        }
        for operation in ["controller", "prepare", "start", "update", "shutdown", "remove"] {
            add(&self.deadlines, &[operation], 0);
            add(&self.retries, &[operation], 0);
        }
        add(&self.deadlines, &["inspect"], 0);
        for operation in ["wait", "terminate"] {
            add(&self.retries, &[operation], 0);
        }
        for kind in ["definition", "assignment", "task_file"] {
            add(&self.refusals, &[kind], 0);
        }
    }

    pub(super) fn transition(&self, from: TaskState, to: TaskState) {
        add(&self.transitions, &[from.as_str(), to.as_str()], 1);
    }

    pub(super) fn retry(&self, operation: &str) {
        add(&self.retries, &[operation], 1);
    }

    pub(super) fn deadline_passed(&self, operation: &str) {
        add(&self.deadlines, &[operation], 1);
    }

    pub(super) fn termination(&self) {
        self.terminations.inc();
    }

    pub(super) fn refusal(&self, kind: &str) {
        add(&self.refusals, &[kind], 1);
    }

    pub(super) fn call(&self, operation: &str, outcome: &str, took: Duration) {
        if let Ok(calls) = self.calls.get_metric_with_label_values(&[operation, outcome]) {
            calls.observe(took.as_secs_f64());
        }
    }

    /// Records a commit of the store.
    pub(crate) fn commit(&self, took: Duration, error: Option<String>) {
        self.commits.inc();
        self.commit_failures.inc_by(error.is_some().into());
        self.commit_seconds.observe(took.as_secs_f64());
        *self.store_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Returns why the last commit of the store failed.
    pub(super) fn store_error(&self) -> Option<String> {
        self.store_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes all metrics in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// Fails only by a bug in this module.
    pub(super) fn text(&self, now: &Now) -> prometheus::Result<String> {
        let gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        for state in TaskState::ALL {
            let count = now.states.iter().filter(|found| **found == state).count();
            let gauge = self.tasks.get_metric_with_label_values(&[state.as_str()])?;
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.unstored_age.set(now.unstored_age.as_secs_f64());
        self.open_descriptors.set(now.open_descriptors);
        self.max_descriptors.set(now.max_descriptors);
        let gathered = self.registry.gather();
        drop(gathering);
        TextEncoder::new().encode_to_string(&gathered)
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// A wrong number of labels is a bug in this module. It must not end the agent.
fn add(counters: &IntCounterVec, labels: &[&str], count: u64) {
    if let Ok(counter) = counters.get_metric_with_label_values(labels) {
        counter.inc_by(count);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(super) mod tests {
    use super::*;

    /// Returns the lines of the counters and histogram counts that are not 0.
    pub(in crate::metrics) fn counted(metrics: &Metrics) -> Vec<String> {
        let (states, unstored_age) = (Vec::new(), Duration::ZERO);
        let now = Now { states, unstored_age, open_descriptors: 3.0, max_descriptors: 9.0 };
        let text = metrics.text(&now).unwrap();
        let is_counter = |line: &&str| line.contains("_total") || line.contains("_count");
        let lines = text.lines().filter(|line| !line.starts_with('#')).filter(is_counter);
        lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
    }

    #[test]
    fn every_state_is_shown_and_a_state_without_tasks_is_0() {
        let metrics = Metrics::new().unwrap();
        let states = vec![TaskState::Running, TaskState::Failed, TaskState::Running];
        let unstored_age = Duration::from_millis(1500);
        let now = Now {
            states,
            unstored_age,
            open_descriptors: f64::NAN,
            max_descriptors: f64::INFINITY,
        };
        let text = metrics.text(&now).unwrap();
        for state in TaskState::ALL {
            let of = |other| u8::from(state == other);
            let count = 2 * of(TaskState::Running) + of(TaskState::Failed);
            let line = format!("onward_tasks{{state=\"{state}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
        for line in ["process_open_fds NaN", "process_max_fds inf"] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(text.contains("\nonward_unstored_status_age_seconds 1.5\n"), "{text}");
    }

    #[test]
    fn the_error_of_a_failed_commit_stays_until_a_commit_succeeds() {
        let metrics = Metrics::new().unwrap();
        assert_eq!(metrics.store_error(), None);
        metrics.commit(Duration::from_millis(2), Some("no space".to_owned()));
        assert_eq!(metrics.store_error().as_deref(), Some("no space"));
        metrics.commit(Duration::from_millis(2), None);
        assert_eq!(metrics.store_error(), None);
        let expected = [
            "onward_commit_duration_seconds_count 2",
            "onward_commit_failures_total 1",
            "onward_commits_total 2",
        ];
        assert_eq!(counted(&metrics), expected);
    }
}
