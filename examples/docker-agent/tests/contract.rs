//! The library's contract kit, held against a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use agent_kit::TaskExecutor as _;
use bollard::Docker;
use bollard::query_parameters::ListContainersOptions;
use docker_agent::agent::AgentExecutor;
use docker_agent::definition::{BindMount, Cpus, DockerDefinition, Mount};
use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use docker_agent::labels;
use docker_agent::task::TaskDefinition;
use onward::agent::TokioRuntime;
use onward::testing::contract::{
    Clause, Contract, InForce, Observation, Subject, UpdatePoint, Workload,
};
use support::engine::{IMAGE, engine};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

const AGENT: &str = "contract";

/// The limits that an update changes: processes, and billionths of processors.
const BEFORE: (i64, i64) = (100, 500_000_000);
const AFTER: (i64, i64) = (200, 750_000_000);

/// Containers, each of which leaves a line in a file when it starts.
struct Containers {
    engine: Engine,
    client: Docker,
    executor: DockerExecutor,
    marks: TempDir,
}

impl Containers {
    async fn new(engine: Engine) -> Self {
        let client = engine.client().await.unwrap().clone();
        let executor = DockerExecutor::new(engine.clone(), AGENT);
        Self { engine, client, executor, marks: TempDir::new().unwrap() }
    }

    /// An executor of an agent that knows nothing. The engine has answered every request of the
    /// one before, as it does when that agent is gone.
    fn new_executor(&self) -> DockerExecutor {
        block_in_place(|| Handle::current().block_on(self.executor.settle()));
        DockerExecutor::new(self.engine.clone(), AGENT)
    }

    /// The limits of the container's process, if it runs, and whether there is a container.
    fn look(&self, id: &str) -> (Option<(i64, i64)>, bool) {
        let label = format!("{}={id}", labels::TASK);
        let filters = Some([("label".to_owned(), vec![label])].into());
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let client = &self.client;
        let look = async {
            let listed = client.list_containers(Some(options)).await.unwrap();
            let mut limits = None;
            for container in &listed {
                let id = container.id.as_ref().unwrap();
                // It may be removed in the meantime.
                let Ok(found) = client.inspect_container(id, None).await else { continue };
                if found.state.unwrap().running == Some(true) {
                    let host = found.host_config.unwrap();
                    limits = Some((host.pids_limit.unwrap_or(0), host.nano_cpus.unwrap_or(0)));
                }
            }
            (limits, !listed.is_empty())
        };
        block_in_place(|| Handle::current().block_on(look))
    }
}

fn with_limits(mut definition: DockerDefinition, (pids, cpus): (i64, i64)) -> DockerDefinition {
    definition.resources.pids = Some(pids);
    definition.resources.cpus = Some(Cpus(cpus));
    definition
}

impl Subject for Containers {
    type Executor = DockerExecutor;

    fn executor(&self) -> &DockerExecutor {
        &self.executor
    }

    fn restarted(&self) -> Option<DockerExecutor> {
        Some(self.new_executor())
    }

    fn reconciler(&self) -> Option<DockerExecutor> {
        Some(self.executor.clone())
    }

    fn updated_definition(
        &self,
        id: &str,
        workload: Workload,
        _: UpdatePoint,
    ) -> Option<DockerDefinition> {
        Some(with_limits(self.definition(id, workload)?, AFTER))
    }

    fn refused_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<DockerDefinition> {
        let mut definition = self.updated_definition(id, workload, point)?;
        if point == UpdatePoint::Started {
            definition.env.insert("A".to_owned(), "1".to_owned());
        } else {
            definition.container_name = Some(format!("other-{id}"));
        }
        Some(definition)
    }

    fn definition(&self, id: &str, workload: Workload) -> Option<DockerDefinition> {
        let then = match workload {
            Workload::Runs => "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done".to_owned(),
            Workload::IgnoresShutdown => "trap '' TERM; while :; do sleep 1000; done".to_owned(),
            Workload::Exits(code) => format!("exit {code}"),
            Workload::DiesOfSignal(signal) => format!("kill -{signal} $$"),
            Workload::Fails => "exit 1".to_owned(),
            _ => return None,
        };
        let script = format!("echo >> /marks/{id}; {then}");
        let mut definition = DockerDefinition::new(IMAGE).with_args(["sh", "-c", &script]);
        // Process 1 cannot be killed by a signal of its own.
        definition.init = Some(matches!(workload, Workload::DiesOfSignal(_)));
        definition.stop_grace =
            Duration::from_secs(if workload == Workload::IgnoresShutdown { 600 } else { 5 });
        definition.mounts.push(Mount::Bind(BindMount {
            source: self.marks.path().to_owned(),
            target: "/marks".to_owned(),
            read_only: false,
            propagation: None,
            non_recursive: false,
            create_source: false,
            read_only_non_recursive: false,
            read_only_force_recursive: false,
            consistency: None,
        }));
        Some(with_limits(definition, BEFORE))
    }

    fn observe(&self, id: &str) -> Observation {
        let (limits, remains) = self.look(id);
        let in_force = limits.map(|limits| match limits {
            BEFORE => InForce::Original,
            AFTER => InForce::Updated,
            _ => InForce::Mixed,
        });
        let starts = fs::read_to_string(self.marks.path().join(id)).unwrap_or_default();
        Observation::default()
            .with_starts(starts.lines().count())
            .with_running(limits.is_some())
            .with_remains(remains)
            .with_in_force(in_force)
    }
}

/// The same containers under the executor of an agent that has processes as well.
struct Mixed {
    containers: Containers,
    executor: AgentExecutor,
    dir: TempDir,
}

impl Mixed {
    async fn new(engine: Engine) -> Self {
        let dir = TempDir::new().unwrap();
        let executor = AgentExecutor::new(engine.clone(), dir.path());
        Self { containers: Containers::new(engine).await, executor, dir }
    }
}

fn boxed(definition: DockerDefinition) -> TaskDefinition {
    TaskDefinition::Container(Box::new(definition))
}

impl Subject for Mixed {
    type Executor = AgentExecutor;

    fn executor(&self) -> &AgentExecutor {
        &self.executor
    }

    fn restarted(&self) -> Option<AgentExecutor> {
        block_in_place(|| Handle::current().block_on(self.executor.settle()));
        Some(AgentExecutor::new(self.containers.engine.clone(), self.dir.path()))
    }

    fn reconciler(&self) -> Option<AgentExecutor> {
        Some(self.executor.clone())
    }

    fn updated_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<TaskDefinition> {
        self.containers.updated_definition(id, workload, point).map(boxed)
    }

    fn refused_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<TaskDefinition> {
        self.containers.refused_definition(id, workload, point).map(boxed)
    }

    fn definition(&self, id: &str, workload: Workload) -> Option<TaskDefinition> {
        self.containers.definition(id, workload).map(boxed)
    }

    fn observe(&self, id: &str) -> Observation {
        self.containers.observe(id)
    }
}

async fn assert_all_held(subject: &impl Subject) {
    let times = std::env::var("ONWARD_CONTRACT").ok().and_then(|times| times.parse().ok());
    let report = Contract::new(Arc::new(TokioRuntime::current()))
        .repeat(times.unwrap_or(1))
        .on_result(|result| eprintln!("{result}"))
        .check(subject)
        .await;
    report.assert_all_held();
    assert_eq!(report.held, Clause::ALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_of_containers_keeps_the_contract() {
    let Some(engine) = engine("the_controller_of_containers_keeps_the_contract") else { return };
    Box::pin(assert_all_held(&Containers::new(engine).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_of_either_kind_keeps_the_contract() {
    let Some(engine) = engine("the_controller_of_either_kind_keeps_the_contract") else { return };
    assert_all_held(&Mixed::new(engine).await).await;
}
