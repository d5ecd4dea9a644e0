//! A worker in the process of the test, and a fake manager for it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use agent_kit::board::Board;
use agent_kit::spec::TaskSpec;
use onward::agent::{MemoryStore, Store};
use swarm_worker::certificate::{NodeCertificate, Roots};
use swarm_worker::connection::Address;
use swarm_worker::credentials::Credentials;
use swarm_worker::dependencies::SwarmDependencies;
use swarm_worker::description::NodeSettings;
use swarm_worker::identity::{Identity, PrivateKey};
use swarm_worker::runtime::SwarmExecutor;
use swarm_worker::task::SwarmTask;
use swarm_worker::wire;
use swarm_worker::wire::dispatcher_server::DispatcherServer;
use swarm_worker::wire::log_broker_server::LogBrokerServer;
use swarm_worker::worker::Worker;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::service::Routes;

use super::authority::{Authority, USUAL};
use super::ca::Ca;
use super::dispatcher::Dispatcher;
use super::log_broker::Logs;
use super::manager::{FakeManager, ca_routes};
use super::state::state;

/// The node of the tests.
pub(crate) const NODE: &str = "fakenode00000000000000001";

/// A manager that the test plays.
pub(crate) struct Manager {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) logs: Logs,
    pub(crate) server: FakeManager,
}

impl Manager {
    pub(crate) fn start(authority: &Authority) -> Self {
        Self::start_beside(authority, Routes::default())
    }

    /// A manager that issues certificates, too.
    pub(crate) fn start_with_ca(authority: &Authority, ca: &Arc<Ca>) -> Self {
        Self::start_beside(authority, ca_routes(ca))
    }

    fn start_beside(authority: &Authority, routes: Routes) -> Self {
        let (dispatcher, service) = Dispatcher::new();
        let (logs, log_service) = Logs::new();
        let routes = routes
            .add_service(DispatcherServer::new(service))
            .add_service(LogBrokerServer::new(log_service));
        let server = FakeManager::start_as(authority, authority.manager(USUAL), routes);
        Self { dispatcher, logs, server }
    }

    pub(crate) fn address(&self) -> Address {
        self.server.address.clone()
    }
}

/// A state directory of a node that knows these managers.
pub(crate) fn joined(authority: &Authority, managers: &[Address]) -> TempDir {
    let dir = state();
    joined_in(dir.path(), authority, managers);
    dir
}

/// Makes a directory one of a node that knows these managers.
pub(crate) fn joined_in(dir: &Path, authority: &Authority, managers: &[Address]) {
    if !dir.exists() {
        DirBuilder::new().mode(0o700).create(dir).unwrap();
    }
    let key = PrivateKey::generate().unwrap();
    let request = key.request().unwrap();
    let certificate = authority.worker(request.as_bytes(), NODE, USUAL);
    let certificate = NodeCertificate::from_pem(certificate.as_bytes()).unwrap();
    let roots = Roots::from_pem(authority.pem().as_bytes()).unwrap();
    let managers = managers.iter().map(ToString::to_string).collect();
    Identity::new(key, certificate, roots, managers).unwrap().store(dir).unwrap();
}

/// A worker that runs nothing.
pub(crate) struct Running {
    pub(crate) worker: Arc<Worker>,
    pub(crate) board: Arc<Board>,
    pub(crate) dependencies: SwarmDependencies,
    pub(crate) serving: JoinHandle<()>,
}

impl Running {
    /// Starts a worker with an empty store.
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::start_with(dir, MemoryStore::new()).await
    }

    pub(crate) async fn start_with(
        dir: &Path,
        store: impl Store<TaskSpec<SwarmTask>> + 'static,
    ) -> Self {
        let (dependencies, board) = (SwarmDependencies::new(), Arc::new(Board::default()));
        let executor = SwarmExecutor::noop(NodeSettings::default(), dependencies.clone());
        let credentials = Credentials::load(dir).unwrap();
        let (own, shown) = (dependencies.clone(), Arc::clone(&board));
        let worker = Worker::start(store, credentials, executor, own, shown, None).await.unwrap();
        let worker = Arc::new(worker);
        let served = Arc::clone(&worker);
        let serving = tokio::spawn(async move { served.serve().await });
        Self { worker, board, dependencies, serving }
    }

    /// Ends the worker. Its session is over when this returns.
    pub(crate) async fn stop(mut self) {
        self.serving.abort();
        _ = (&mut self.serving).await;
    }

    /// The ids of the tasks that the worker has.
    pub(crate) fn tasks(&self) -> Vec<String> {
        self.worker.tasks().tasks().iter().map(|task| task.id().to_owned()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
        self.worker.tasks().close();
    }
}

/// A task of the service `web`.
pub(crate) fn task(id: &str, desired_state: wire::TaskState) -> wire::assignment::Item {
    task_of(id, "bb:1", desired_state)
}

/// A task of the service `web` with this image.
pub(crate) fn task_of(
    id: &str,
    image: &str,
    desired_state: wire::TaskState,
) -> wire::assignment::Item {
    let container = wire::ContainerSpec { image: image.to_owned(), ..Default::default() };
    let spec = wire::TaskSpec {
        runtime: Some(wire::task_spec::Runtime::Container(Box::new(container))),
        ..Default::default()
    };
    let annotations = wire::Annotations { name: "web".to_owned(), ..Default::default() };
    let status =
        wire::TaskStatus { state: wire::TaskState::Assigned.into(), ..wire::TaskStatus::default() };
    wire::assignment::Item::Task(Box::new(wire::Task {
        id: id.to_owned(),
        spec: Some(spec),
        service_id: "s1".to_owned(),
        slot: 1,
        node_id: NODE.to_owned(),
        service_annotations: Some(annotations),
        status: Some(status),
        desired_state: desired_state.into(),
        ..Default::default()
    }))
}

/// A removed task has only its id.
pub(crate) fn only_id(id: &str) -> wire::assignment::Item {
    wire::assignment::Item::Task(Box::new(wire::Task { id: id.to_owned(), ..Default::default() }))
}
