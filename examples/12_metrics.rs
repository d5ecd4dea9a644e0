//! Metrics of an agent in the Prometheus text format.
//!
//! ```sh
//! cargo run --example 12_metrics
//! ```
//!
//! The metrics come from three sources:
//!
//! - The library's `tracing` events. A layer counts changes of state, expired deadlines and
//!   terminations.
//! - An `ObservedExecutor`. It calls an observer at the beginning and the end of each call
//!   of a controller. The observer measures the duration.
//! - The worker's handle. It returns the number of tasks in each state, and the age of the
//!   oldest status that is not stored yet. Both are read when the metrics are requested.
//!
//! No metric has the task id as a label, because every label value uses memory for as long
//! as the agent runs. To find the task of an event, read the log.
//!
//! The crate `prometheus` keeps the metrics. Your agent serves the result of `text` at
//! `/metrics`, as `examples/agent-kit` does in `src/metrics.rs`. Requires the feature
//! `testing`, for virtual time.

use onward::agent::{MemoryStore, Policy, Runtime, TaskView, Worker, WorkerHandle};
use onward::exec::{Call, CallObserver, CallOutcome, ObservedExecutor};
use onward::testing::{Behavior, Script, ScriptedExecutor, VirtualPool, VirtualTime};
use onward::{Assignment, ControllerError, TaskState};
use prometheus::core::Collector;
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// The metrics. Clones share the values.
#[derive(Clone)]
struct Metrics {
    registry: Registry,
    transitions: IntCounterVec,
    deadlines: IntCounterVec,
    terminations: IntCounter,
    calls: HistogramVec,
    tasks: IntGaugeVec,
    unstored_age: Gauge,
}

impl Metrics {
    fn new() -> prometheus::Result<Self> {
        let transitions = Opts::new("agent_transitions_total", "Changes of state.");
        let deadlines = Opts::new("agent_deadlines_passed_total", "Deadlines that have passed.");
        let terminations = Opts::new("agent_terminations_total", "Tasks ended by force.");
        let calls = HistogramOpts::new("agent_call_duration_seconds", "Durations of calls.")
            .buckets(vec![0.01, 1.0, 60.0]);
        let tasks = Opts::new("agent_tasks", "Tasks by state.");
        let age = Opts::new("agent_unstored_status_age_seconds", "Age of the oldest one.");
        let metrics = Self {
            registry: Registry::new(),
            transitions: IntCounterVec::new(transitions, &["from", "to"])?,
            deadlines: IntCounterVec::new(deadlines, &["call"])?,
            terminations: IntCounter::with_opts(terminations)?,
            calls: HistogramVec::new(calls, &["call", "outcome"])?,
            tasks: IntGaugeVec::new(tasks, &["state"])?,
            unstored_age: Gauge::with_opts(age)?,
        };
        let all: [Box<dyn Collector>; 6] = [
            Box::new(metrics.transitions.clone()),
            Box::new(metrics.deadlines.clone()),
            Box::new(metrics.terminations.clone()),
            Box::new(metrics.calls.clone()),
            Box::new(metrics.tasks.clone()),
            Box::new(metrics.unstored_age.clone()),
        ];
        for metric in all {
            metrics.registry.register(metric)?;
        }
        Ok(metrics)
    }

    /// All metrics, including those read from the worker.
    fn text<D>(
        &self,
        tasks: &WorkerHandle<D>,
        runtime: &dyn Runtime,
    ) -> prometheus::Result<String> {
        let views = tasks.tasks();
        for state in TaskState::ALL {
            let count = views.iter().filter(|view| view.snapshot.status.state == state).count();
            self.tasks.with_label_values(&[state.as_str()]).set(i64::try_from(count).unwrap_or(0));
        }
        let age = tasks.unstored_since().map(|since| runtime.now().saturating_sub(since));
        self.unstored_age.set(age.unwrap_or_default().as_secs_f64());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// The fields of an event, as texts. The message is one of them.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Counts events. The guide lists their names and fields in the section Observability.
impl<S: Subscriber> Layer<S> for Metrics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let field = |name: &str| fields.0.get(name).map_or("", String::as_str);
        match field("message") {
            "state changed" => {
                let (from, to) = field("state.transition").split_once("->").unwrap_or_default();
                self.transitions.with_label_values(&[from, to]).inc();
            }
            "deadline passed" => self.deadlines.with_label_values(&[field("call")]).inc(),
            "driver terminates the task" => self.terminations.inc(),
            _ => {}
        }
    }
}

/// Measures the duration of calls, in the time of a runtime.
struct Stopwatch {
    metrics: Metrics,
    runtime: Arc<dyn Runtime>,
}

impl CallObserver for Stopwatch {
    type Begun = Duration;

    fn begun(&self, _: Call, _: Option<&str>) -> Duration {
        self.runtime.now()
    }
    fn ended(&self, call: Call, _: Option<&str>, begun: Duration, outcome: CallOutcome<'_>) {
        let calls = self.metrics.calls.with_label_values(&[call.as_str(), outcome.as_str()]);
        calls.observe(self.runtime.now().saturating_sub(begun).as_secs_f64());
    }
}

/// Runs an agent until its three tasks have ended. Returns the text of `/metrics`.
async fn run(pool: &VirtualPool, metrics: &Metrics) -> Result<String, Box<dyn Error>> {
    let script = |task: &Assignment<()>| match &*task.id {
        "late" => {
            let busy = Behavior::fails(ControllerError::new("busy").temporary());
            Script::new().with(Call::Prepare, [busy.clone(), busy, Behavior::succeeds()])
        }
        "stuck" => Script::new().with(Call::Start, [Behavior::hangs()]),
        _ => Script::new(),
    };
    let runtime: Arc<dyn Runtime> = Arc::new(pool.clone());
    // Your executor.
    let executor = ScriptedExecutor::new(script).with_time(pool.time().clone());
    let stopwatch = Stopwatch { metrics: metrics.clone(), runtime: Arc::clone(&runtime) };
    let executor = ObservedExecutor::new(executor, stopwatch);
    let worker = Worker::open(executor, MemoryStore::new(), Arc::clone(&runtime)).await?;
    let policy = Policy::default().with_start_deadline(Duration::from_secs(30));
    let mut worker = worker.with_policy(policy);
    let handle = worker.handle();
    let agent = async {
        handle.assign(["good", "late", "stuck"].map(|id| Assignment::new(id, ()))).await?;
        handle.until(|tasks| tasks.iter().all(TaskView::has_ended)).await?;
        handle.close();
        Ok::<_, Box<dyn Error>>(())
    };
    let ((), done) = futures::future::join(worker.run(), agent).await;
    done?;
    Ok(metrics.text(&handle, &*runtime)?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let metrics = Metrics::new()?;
    let ours = Targets::new().with_target("onward", Level::DEBUG);
    // Add a second layer with its own filter to write the log.
    let subscriber = tracing_subscriber::registry().with(metrics.clone().with_filter(ours));
    let pool = VirtualPool::new(VirtualTime::new(), 0);
    // In a program, call `tracing::subscriber::set_global_default(subscriber)?`.
    let text =
        tracing::subscriber::with_default(subscriber, || pool.run_until(run(&pool, &metrics)));
    let text = text.ok_or("the agent hangs")??;
    println!("{text}");

    let expected = [
        r#"agent_transitions_total{from="RUNNING",to="COMPLETE"} 2"#,
        r#"agent_transitions_total{from="STARTING",to="FAILED"} 1"#,
        r#"agent_deadlines_passed_total{call="start"} 1"#,
        "agent_terminations_total 1",
        r#"agent_call_duration_seconds_count{call="prepare",outcome="ok"} 3"#,
        r#"agent_call_duration_seconds_count{call="prepare",outcome="temporary"} 2"#,
        r#"agent_call_duration_seconds_sum{call="start",outcome="dropped"} 30"#,
        r#"agent_tasks{state="complete"} 2"#,
        r#"agent_tasks{state="failed"} 1"#,
        "agent_unstored_status_age_seconds 0",
    ];
    for line in expected {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    Ok(())
}
