//! The mode `scenarios`: a task's whole life under the driver, in virtual time.

use super::jsonl;
use super::scripted::ErrorScript;
use futures::FutureExt;
use onward::agent::{Driver, DriverHandle, Policy, UpdateError};
use onward::exec::{Assignment, Controller, ControllerError, Executor};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{Turn, VirtualPool, VirtualTime};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

#[derive(Deserialize)]
struct Scenario {
    #[serde(rename = "scenario")]
    name: Value,
    task: Task,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    controller: Script,
    #[serde(default)]
    script: Vec<Entry>,
    until_ms: u64,
}

#[derive(Deserialize)]
struct Task {
    id: String,
    desired_state: TaskState,
    status: TaskStatus,
}

/// The behavior of the first, second, … call of each operation. The last one repeats.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Script {
    update: Vec<CallScript>,
    prepare: Vec<CallScript>,
    start: Vec<CallScript>,
    wait: Vec<CallScript>,
    shutdown: Vec<CallScript>,
    terminate: Vec<CallScript>,
    remove: Vec<CallScript>,
    close: Vec<CallScript>,
}

#[derive(Clone, Deserialize)]
struct CallScript {
    /// `null` never returns by itself.
    #[serde(default = "at_once")]
    takes_ms: Option<u64>,
    #[serde(default)]
    error: Option<ErrorScript>,
}

#[expect(clippy::unnecessary_wraps, reason = "it is what serde asks for")]
fn at_once() -> Option<u64> {
    Some(0)
}

#[derive(Deserialize)]
#[serde(try_from = "EntryFields")]
struct Entry {
    at_ms: u64,
    action: Action,
}

#[derive(Deserialize)]
struct EntryFields {
    at_ms: u64,
    update: Option<Update>,
    remove: Option<bool>,
    close: Option<bool>,
}

enum Action {
    Update(Update),
    Remove(bool),
    Close(bool),
}

impl TryFrom<EntryFields> for Entry {
    type Error = &'static str;

    fn try_from(fields: EntryFields) -> Result<Self, &'static str> {
        let EntryFields { at_ms, update, remove, close } = fields;
        let action = match (update, remove, close) {
            (Some(update), None, None) => Action::Update(update),
            (None, Some(remove), None) => Action::Remove(remove),
            (None, None, Some(close)) => Action::Close(close),
            _ => return Err("expected one of `update`, `remove` and `close`"),
        };
        Ok(Self { at_ms, action })
    }
}

#[derive(Deserialize)]
struct Update {
    id: Option<String>,
    desired_state: Option<TaskState>,
    version: Option<u64>,
}

pub(crate) fn run(line: &str) -> super::Answer {
    let scenario: Scenario = jsonl::read(line)?;
    let name = scenario.name.clone();
    let (trace, status) = live(scenario);
    let answer = json!({ "scenario": name, "trace": trace, "final_status": status });
    Ok((answer.to_string(), Vec::new()))
}

/// Everything that happens, and what the status is at the end.
fn live(scenario: Scenario) -> (Vec<Value>, Value) {
    let Scenario { task, policy, controller, mut script, until_ms, .. } = scenario;
    let time = VirtualTime::new();
    let trace = Trace { time: time.clone(), entries: Arc::new(Mutex::new(Some(Vec::new()))) };

    // Its definition is its version.
    let assignment = Assignment::new(task.id, 1).with_desired_state(task.desired_state);
    let executor = Scripted { script: controller, trace: trace.clone(), calls: HashMap::new() };
    let reports = trace.clone();
    let sink = move |_: &str, status: TaskStatus| {
        reports.put("status", json!({ "status": jsonl::print(&status) }));
    };
    let runtime = Arc::new(VirtualPool::new(time.clone(), 0));
    let mut driver = Driver::new(AnyTask::resume(task.status), assignment, executor, runtime)
        .with_policy(policy)
        .with_sink(sink);
    let handle = driver.handle();
    let mut version = 1;

    // Requests of the same time are sent in their order.
    script.sort_by_key(|entry| entry.at_ms);
    let mut script = script.into_iter().peekable();
    let mut run = pin!(driver.run());
    while !poll_until_it_waits(run.as_mut()) {
        let event = time.next();
        let entry = script.peek().map(|entry| (Duration::from_millis(entry.at_ms), Turn::Script));
        let Some(next) = event.into_iter().chain(entry).min() else { break };
        if next.0 > Duration::from_millis(until_ms) {
            break;
        }
        time.advance_to(next.0);
        match script.next_if(|_| Some(next) == entry) {
            Some(entry) => act(entry.action, &handle, &mut version, &trace),
            None => _ = time.advance(),
        }
    }
    if handle.snapshot().driver_has_ended {
        trace.put("ended", json!({}));
    }
    // The end of this function drops the call in flight.
    let entries = trace.take();
    (entries, jsonl::print(&handle.status()))
}

fn act(action: Action, handle: &DriverHandle<u64>, version: &mut u64, trace: &Trace) {
    match action {
        Action::Update(update) => {
            let now = handle.snapshot();
            let id = update.id.unwrap_or_else(|| handle.id().to_owned());
            let wanted = update.version.unwrap_or(*version);
            let assignment = Assignment::new(id, wanted)
                .with_desired_state(update.desired_state.unwrap_or(now.desired_state));
            match handle.update(assignment) {
                Ok(()) => *version = wanted,
                // Requests after the end are ignored.
                Err(UpdateError::Ended) => {}
                Err(reason) => trace.put("refused", json!({ "reason": reason.to_string() })),
            }
        }
        Action::Remove(true) => handle.remove(),
        Action::Close(true) => handle.close(),
        Action::Remove(false) | Action::Close(false) => {}
    }
}

/// Polls until the future is ready or waits. Returns whether it is ready.
fn poll_until_it_waits(mut future: Pin<&mut impl Future>) -> bool {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    while woken.0.swap(false, Ordering::Relaxed) {
        if future.poll_unpin(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
    }
    false
}

/// The entries so far. Nothing is added after they were taken.
#[derive(Clone)]
struct Trace {
    time: VirtualTime,
    entries: Arc<Mutex<Option<Vec<Value>>>>,
}

impl Trace {
    fn put(&self, event: &str, more: Value) {
        let mut entry = json!({ "at_ms": self.time.now().as_millis(), "event": event });
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
            entry.extend(more);
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = &mut *entries {
            entries.push(entry);
        }
    }

    fn take(&self) -> Vec<Value> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// The controller of a scenario, and the executor that hands it out.
#[derive(Clone)]
struct Scripted {
    script: Script,
    trace: Trace,
    /// How often each operation was called.
    calls: HashMap<&'static str, usize>,
}

impl Scripted {
    async fn call(
        &mut self,
        operation: &'static str,
        script: fn(&Script) -> &[CallScript],
    ) -> Result<(), ControllerError> {
        let calls = self.calls.entry(operation).or_default();
        let script = script(&self.script);
        let script = script.get(*calls).or(script.last()).cloned();
        *calls += 1;
        let unscripted = || CallScript {
            takes_ms: if operation == "wait" { None } else { Some(0) },
            error: None,
        };
        let CallScript { takes_ms, error } = script.unwrap_or_else(unscripted);

        self.trace.put("call", json!({ "operation": operation }));
        let mut flight = InFlight { operation, trace: &self.trace, landed: false };
        match takes_ms {
            None => future::pending().await,
            Some(0) => {}
            Some(ms) => {
                let time = &self.trace.time;
                time.sleep_until(time.now() + Duration::from_millis(ms), Turn::Controller).await;
            }
        }
        flight.landed = true;
        let error = error.map(|error| error.error());
        let message = error.as_ref().map(ToString::to_string);
        self.trace.put("return", json!({ "operation": operation, "error": message }));
        error.map_or(Ok(()), Err)
    }
}

/// An operation in flight. A drop is recorded.
struct InFlight<'a> {
    operation: &'static str,
    trace: &'a Trace,
    landed: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.trace.put("cancel", json!({ "operation": self.operation }));
        }
    }
}

impl Controller for Scripted {
    type Definition = u64;

    async fn update(&mut self, _: &u64) -> Result<(), ControllerError> {
        self.call("update", |script| &script.update).await
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call("prepare", |script| &script.prepare).await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call("start", |script| &script.start).await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call("wait", |script| &script.wait).await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call("shutdown", |script| &script.shutdown).await
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.call("terminate", |script| &script.terminate).await
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.call("remove", |script| &script.remove).await
    }
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.call("close", |script| &script.close).await
    }
}

impl Executor for Scripted {
    type Definition = u64;
    type Controller = Self;

    async fn controller(&self, _: &Assignment<u64>) -> Result<Self, ControllerError> {
        Ok(self.clone())
    }
}
