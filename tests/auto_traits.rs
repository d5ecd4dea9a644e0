//! Auto traits of the public types: all are `Send`, `Sync` and `Unpin`, except where a test
//! names an exception.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use onward::agent::driver::{
    DefinitionStatus, Driver, DriverExit, DriverHandle, HistoryEntry, Snapshot, UpdateError, Watch,
};
use onward::agent::policy::{Backoff, BackoffError, Policy};
use onward::agent::reporter::{
    ReportError, Reporter, ReporterHandle, StatusUpdate, TaskReportError,
};
use onward::agent::runtime::{Runtime, SpawnError, TokioRuntime};
use onward::agent::store::{
    MemoryStore, Migration, NextTask, OpenStoreError, RedbOptions, RedbStore, StoreCall,
    StoreChange, StoreError, StoreFault, StoredTask, TaskRecord,
};
use onward::agent::worker::{
    AssignError, AssignedTask, AssignmentChange, ChangedTasks, Changes, Listener, LogSelector,
    RefusedTask, TaskView, Worker, WorkerHandle,
};
use onward::diagram::{Diagram, DiagramFormat};
use onward::exec::{
    Assignment, BoxController, CallOutcome, Controller, ControllerError, ErrorKind, Executor,
    Inspected, Inspection, LogAttribute, LogMessage, LogStream, LogSubscriptionOptions, LogTail,
    ObservedController, ObservedExecutor, Outcome, ProgressReporter, SharedLogs, SystemClock,
};
use onward::lifecycle::{
    Actor, Answer, AnyTask, ApplyError, ContainerStatus, Decision, Event, EventKind, Failure,
    InvalidOperationError, InvalidTransitionError, Observed, Operation, PortConfig, PortStatus,
    Protocol, PublishMode, Task, TaskState, TaskStatus, Transition, UnknownProtocolError,
    UnknownPublishModeError, UnknownStateError, state,
};
use onward::testing::contract::{
    Breach, Clause, ClauseResult, ClauseVerdict, Contract, InForce, Observation, Report, Subject,
    Unchecked, UnknownClauseError, UpdatePoint, Workload,
};
use onward::testing::{
    Behavior, Call, CallEvent, Coverage, CoverageLayer, Delivery, NoopController, Reply, Request,
    Scenario, Script, ScriptedController, ScriptedExecutor, ScriptedReporter, Trace, TraceEntry,
    Turn, VirtualClock, VirtualPool, VirtualSleep, VirtualTime,
};
use std::cell::Cell;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn all<T: Send + Sync + Unpin + Debug>() {}

/// A controller that is `Send` and not `Sync`.
struct Unshared(Cell<u8>);

impl Controller for Unshared {
    type Definition = u64;

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.0.set(1);
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

#[derive(Clone)]
struct Runs;

impl Executor for Runs {
    type Definition = u64;
    type Controller = Unshared;

    async fn controller(&self, _: &Assignment<u64>) -> Result<Unshared, ControllerError> {
        Ok(Unshared(Cell::new(0)))
    }
}

impl Subject for Runs {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, _: Workload) -> Option<u64> {
        None
    }
    fn observe(&self, _: &str) -> Observation {
        Observation::default()
    }
}

struct Reports;

impl onward::agent::reporter::StatusReporter for Reports {
    async fn report(&mut self, _: &[StatusUpdate]) -> Result<(), ReportError> {
        Ok(())
    }
}

type Drives = Driver<Runs>;
type Works = Worker<Runs, MemoryStore<u64>>;

#[test]
fn every_public_type_is_send_sync_unpin_and_debug() {
    macro_rules! check {
        ($($type:ty),* $(,)?) => { $(all::<$type>();)* };
    }
    check![
        Actor,
        AnyTask,
        ContainerStatus,
        Decision,
        Event,
        EventKind,
        Failure,
        InvalidTransitionError
    ];
    check![Answer, InvalidOperationError, ProgressReporter];
    check![Coverage, CoverageLayer, Diagram, DiagramFormat];
    check![
        Observed,
        Operation,
        PortConfig,
        PortStatus,
        Protocol,
        PublishMode,
        ApplyError,
        TaskState
    ];
    check![
        TaskStatus,
        Transition,
        UnknownProtocolError,
        UnknownPublishModeError,
        UnknownStateError
    ];
    check![Task<state::New>, Task<state::Pending>, Task<state::Assigned>, Task<state::Accepted>];
    check![Task<state::Preparing>, Task<state::Ready>, Task<state::Starting>, Task<state::Running>];
    check![
        Task<state::Complete>,
        Task<state::Shutdown>,
        Task<state::Failed>,
        Task<state::Rejected>
    ];
    check![Task<state::Remove>, Task<state::Orphaned>, ChangedTasks<u64>, Changes<u64>];
    check![Assignment<u64>, ControllerError, ErrorKind, Inspected<u64>, Inspection, LogAttribute];
    check![LogMessage, LogStream, LogSubscriptionOptions, LogTail, Outcome, SharedLogs];
    check![SystemClock, DriverHandle<u64>, DriverExit, HistoryEntry, Policy, Snapshot];
    check![Backoff, BackoffError, DefinitionStatus, UpdateError, Watch<u64, Snapshot>];
    check![ReportError, Reporter<u8>, ReporterHandle, StatusUpdate, TaskReportError];
    check![AssignError, AssignedTask<u64>, AssignmentChange<u64>, Listener, LogSelector];
    check![RefusedTask, TaskView<u64>, WorkerHandle<u64>, MemoryStore<u64>, Migration];
    check![OpenStoreError, RedbOptions, RedbStore<u64>, StoreCall<'static, u64>, StoreChange<u64>];
    check![
        StoreError,
        StoreFault,
        StoredTask<u64>,
        TaskRecord<u64>,
        NextTask<u64>,
        TokioRuntime,
        SpawnError
    ];
    check![Behavior, Breach, Call, CallEvent, Clause, Contract, NoopController];
    check![Observation, Reply, Report, Scenario, Script, ScriptedController, ScriptedExecutor];
    check![ScriptedReporter, Delivery, Trace, TraceEntry, Request, Workload];
    check![ClauseResult, ClauseVerdict];
    check![InForce, Unchecked, UnknownClauseError, UpdatePoint];
    check![CallOutcome<'static>, ObservedController<u64, u64>, ObservedExecutor<u64, u64>];
    check![Turn, VirtualClock, VirtualPool, VirtualSleep, VirtualTime];
}

#[test]
fn every_public_type_is_checked_here() {
    fn check(path: &Path) {
        if path.is_dir() {
            return fs::read_dir(path).unwrap().for_each(|entry| check(&entry.unwrap().path()));
        }
        let source = fs::read_to_string(path).unwrap();
        let heads = source.lines().filter_map(|line| line.strip_prefix("pub "));
        let types =
            heads.filter_map(|head| head.strip_prefix("struct ").or(head.strip_prefix("enum ")));
        for name in types.map(|head| head.split(|c: char| !c.is_alphanumeric()).next().unwrap()) {
            let here = include_str!("auto_traits.rs");
            assert!(here.split(|c: char| !c.is_alphanumeric()).any(|word| word == name), "{name}");
        }
    }
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}

#[test]
fn a_type_with_a_controller_is_send_even_if_the_controller_is_not_sync() {
    fn sent<T: Send + Unpin>() {}
    sent::<Drives>();
    // If the runtime refuses to spawn, a worker drives the task in its own future.
    sent::<Works>();
    sent::<BoxController<u64>>();
}

#[test]
fn drivers_workers_and_reporters_can_be_spawned() {
    fn spawned(_: impl Send + 'static) {}
    fn driver(mut driver: Drives) -> impl Send {
        async move { driver.run().await }
    }
    fn worker(mut worker: Works) -> impl Send {
        async move { worker.run().await }
    }
    fn reporter(mut reporter: Reporter<Reports>) -> impl Send {
        async move { reporter.run().await }
    }
    fn contract(contract: Contract) -> impl Send {
        async move { contract.check(&Runs).await }
    }
    fn send(scenario: Scenario, handle: DriverHandle<u64>, runtime: Arc<dyn Runtime>) -> impl Send {
        async move { scenario.send(&handle, &*runtime).await }
    }
    spawned((driver, worker, reporter, contract, send));
}
