use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent_kit::board::Board;
use agent_kit::http::HttpServer;
use agent_kit::logging;
use agent_kit::signals::{SignalRequest, Signals};
use agent_kit::socket::Server;
use agent_kit::state::State;
use tokio::runtime::Builder;

use super::arguments::Run;
use super::shown::Shown;
use super::{PROGRAM, REMOVED, runtime};
use crate::credentials::Credentials;
use crate::dependencies::SwarmDependencies;
use crate::description::{NodeSettings, parse_generic_resources};
use crate::renewal;
use crate::worker::{Worker, end_tasks};

/// How long tasks of a removed node have to end before they are killed.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the tasks of this node in the foreground.
pub(super) fn run(arguments: Run) -> anyhow::Result<ExitCode> {
    let http = arguments.http.bind()?;
    if let Some(http) = &http {
        PROGRAM.complain(&format!("serving the status page at http://{}/", http.address()));
    }
    let is_logging = logging::start(http.as_ref().map(HttpServer::recorded));
    // Heartbeats go on while the other thread is busy.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ran = runtime.block_on(serve(arguments, http, is_logging));
    // A write to standard output may still be blocked because nothing reads it.
    runtime.shutdown_background();
    ran
}

async fn serve(
    arguments: Run,
    http: Option<HttpServer>,
    is_logging: bool,
) -> anyhow::Result<ExitCode> {
    let settings = NodeSettings {
        hostname: arguments.hostname.clone(),
        labels: arguments.labels(),
        generic_resources: parse_generic_resources(&arguments.generic_resources)
            .map_err(anyhow::Error::msg)?,
    };
    // Handle signals before the state is opened, so that a signal cannot interrupt that.
    let mut signals = Signals::new(SignalRequest::End)?;
    let credentials = Credentials::load(&arguments.state.dir)?;
    let state = State::open(&arguments.state.dir).await?;
    let identity = credentials.identity();
    let dependencies = SwarmDependencies::new();
    let executor = runtime::executor(
        &arguments.runtime,
        &state,
        identity.node_id(),
        settings,
        dependencies.clone(),
    )?;
    runtime::store(identity.node_id(), &arguments.runtime, state.dir())?;
    let board = Arc::new(Board::default());
    let recorded = http.as_ref().map(|http| http.recorded().clone());
    let (renewing, shown) = (credentials.clone(), Arc::clone(&board));
    let worker = Worker::start(
        state.reserved(),
        credentials,
        executor.clone(),
        dependencies,
        shown,
        recorded,
    )
    .await?;
    if let Some(http) = http {
        // This ends with the runtime.
        tokio::spawn(http.serve(worker.served(PROGRAM)));
    }
    let mut server = Server::bind(state.dir())?;
    let (tasks, notices) = (worker.tasks(), Arc::clone(&board));
    let serving = tokio::spawn({
        let (tasks, executor) = (tasks.clone(), executor.clone());
        async move { server.serve(tasks.clone(), executor, notices, tasks).await }
    });
    let renewing = tokio::spawn(renewal::renew(renewing));
    let shown = Shown::start(board, "Ctrl-C: leave the tasks", is_logging);
    let code = tokio::select! {
        () = worker.serve() => {
            PROGRAM.complain(&format!(
                "this node, {}, was removed from the swarm; ending its tasks; to join again: {} leave \
                 --state {}, and then join",
                identity.node_id(),
                PROGRAM.name,
                state.dir().display()
            ));
            for (task, reason) in end_tasks(&tasks, &executor, Some(GRACE)).await {
                PROGRAM.complain(&format!("cannot end the task {task}: {reason}"));
            }
            ExitCode::from(REMOVED)
        }
        _ = signals.next() => ExitCode::SUCCESS,
    };
    renewing.abort();
    serving.abort();
    // Remove the socket while this worker still has the lock of the state.
    _ = serving.await;
    let closing = async {
        worker.close().await;
        if let Err(error) = state.store.close().await {
            PROGRAM.complain(&error.to_string());
        }
        shown.end().await;
    };
    tokio::select! {
        () = closing => Ok(code),
        _ = signals.next() => anyhow::bail!(
            "ended at once after repeated signals; the tasks may still run, and the next `run` finds them"
        ),
    }
}
