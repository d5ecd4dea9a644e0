use std::fs::Permissions;
use std::io::{IsTerminal as _, stdout};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use onward::agent::{MemoryStore, Store};
use onward::{TaskState, TaskStatus};
use tokio::runtime::Builder;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::arguments::{OnExit, Run};
use crate::agent::{Agent, Ending, Order, Report, Setup};
use crate::board::Board;
use crate::http::HttpServer;
use crate::kind::{FileDefinition, TaskExecutor};
use crate::logging;
use crate::metrics::Recorded;
use crate::output::Output;
use crate::program::Program;
use crate::signals::{SignalRequest, Signals};
use crate::socket::Server;
use crate::spec::TaskSpec;
use crate::state::{State, lock_temporary};
use crate::task_file::TaskFile;
use crate::view::{self, Form};
use crate::watcher::Watcher;

pub(super) fn run<E: TaskExecutor<Definition: FileDefinition> + 'static>(
    program: Program,
    arguments: Run,
    executor: impl FnOnce(PathBuf) -> E,
) -> anyhow::Result<ExitCode> {
    let Run { file, state, on_exit, strict, logs, http } = arguments;
    // Bind the address before any task starts.
    let http = http.bind()?;
    if let Some(http) = &http {
        program.complain(&format!("serving the status page at http://{}/", http.address()));
    }
    let logging = logging::start(http.as_ref().map(HttpServer::recorded));
    let shown = Shown { program, logging, logs };
    // Read the file while a signal still ends the program: the file may be a pipe without a writer.
    let tasks = match (&file, &state) {
        (Some(path), _) => TaskFile::read(path)?,
        (None, None) => TaskFile::parse("demo.toml", program.demo, &std::env::current_dir()?)?,
        (None, Some(dir)) => {
            let (name, dir) = (program.name, dir.display());
            anyhow::bail!("--state needs a task file; write: {name} run FILE --state {dir}");
        }
    };
    let runtime = Builder::new_multi_thread()
        .enable_all()
        // Keep the first thread for blocking work. If the system refuses further threads, work
        // waits for this one instead of failing.
        .thread_keep_alive(Duration::from_secs(u64::from(u32::MAX)))
        .build()
        .context("cannot start the Tokio runtime")?;
    let ran = runtime.block_on(async {
        tokio::task::spawn_blocking(|| {}).await?;
        match (file, state) {
            (Some(file), Some(dir)) => {
                let ending = match on_exit.unwrap_or(OnExit::Leave) {
                    OnExit::Leave => Ending::LeaveTasks,
                    OnExit::Stop => Ending::StopTasks,
                };
                with_state(&file, tasks, &dir, executor, ending, shown, http).await
            }
            _ => without_state(tasks, executor, shown, http).await,
        }
    });
    // A write to standard output may still be blocked because nothing reads it.
    runtime.shutdown_background();
    let (ending, report) = ran?;
    Ok(exit_code(ending, &report, strict))
}

fn exit_code(ending: Ending, report: &Report, strict: bool) -> ExitCode {
    let bad = |status: &TaskStatus| matches!(status.state, TaskState::Failed | TaskState::Rejected);
    let Report { statuses, removal_errors } = report;
    let have_ended = statuses.iter().all(|status| status.state.is_terminal());
    if !removal_errors.is_empty() || !(have_ended || ending == Ending::LeaveTasks) {
        ExitCode::from(3)
    } else if strict && statuses.iter().any(bad) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs the tasks in a temporary directory, until all have ended.
async fn without_state<E: TaskExecutor<Definition: FileDefinition> + 'static>(
    file: TaskFile<E::Definition>,
    executor: impl FnOnce(PathBuf) -> E,
    shown: Shown,
    http: Option<HttpServer>,
) -> anyhow::Result<(Ending, Report)> {
    // Handle signals before the first file is made, so that a signal leaves nothing behind.
    let signals = Signals::new(SignalRequest::End)?;
    let root = tempfile::Builder::new()
        .prefix(&format!("{}-", shown.program.name))
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .context(
            "cannot create a temporary directory for the tasks; set TMPDIR to a writable directory",
        )?;
    let locked = lock_temporary(root.path())?;
    let (ending, output) = (Ending::WithTasks, shown.output());
    let (executor, recorded) = (executor(locked.path.clone()), recorded(http.as_ref()));
    let setup = Setup { executor, file, ending, output, recorded };
    let (agent, board) = start(shown.program, MemoryStore::new(), setup, http).await?;
    let (sender, orders) = mpsc::unbounded_channel();
    let reread = Arc::new(Notify::new());
    let report = shown.show(agent, board, orders, sender, ending, signals, reread).await?;
    for (name, error) in &report.removal_errors {
        shown.program.complain(&format!("cannot remove the task {name}: {error}"));
    }
    if !report.removal_errors.is_empty() {
        shown.program.complain(&format!("the remaining files are in {}", root.keep().display()));
    }
    Ok((ending, report))
}

/// Runs the tasks with the state in `dir`, until the agent is request to end.
async fn with_state<E: TaskExecutor<Definition: FileDefinition> + 'static>(
    path: &Path,
    file: TaskFile<E::Definition>,
    dir: &Path,
    executor: impl FnOnce(PathBuf) -> E,
    ending: Ending,
    shown: Shown,
    http: Option<HttpServer>,
) -> anyhow::Result<(Ending, Report)> {
    if !path.metadata().is_ok_and(|found| found.is_file()) {
        let path = path.display();
        anyhow::bail!(
            "{path}: not a regular file; with --state, the task file must be one, because it is read \
             again after changes"
        );
    }
    // Handle signals before the state is opened, so that a signal cannot interrupt that.
    let signals = Signals::new(SignalRequest::Reread)?;
    let state = State::open(dir).await?;
    let mut watcher = Watcher::new(path);
    let reread = watcher.trigger();
    let executor = executor(state.tasks_dir());
    let (output, recorded) = (shown.output(), recorded(http.as_ref()));
    let setup = Setup { executor, file, ending, output, recorded };
    let (agent, board) = start(shown.program, state.reserved(), setup, http).await?;
    let mut server = Server::bind(state.dir())?;
    let (sender, orders) = mpsc::unbounded_channel();
    let watching = tokio::spawn({
        let sender = sender.clone();
        async move { while sender.send(Order::File(watcher.next().await)).is_ok() {} }
    });
    let serving = tokio::spawn({
        let (tasks, executor, sender) = (agent.tasks(), agent.executor(), sender.clone());
        let board = Arc::clone(&board);
        async move { server.serve(tasks, executor, board, sender).await }
    });
    let report = shown.show(agent, board, orders, sender, ending, signals, reread).await;
    watching.abort();
    serving.abort();
    // Remove the socket while this agent still has the lock of the state.
    _ = serving.await;
    if let Err(error) = state.store.close().await {
        shown.program.complain(&error.to_string());
    }
    let report = report?;
    for (name, error) in &report.removal_errors {
        shown.program.complain(&format!("cannot remove the task {name}: {error}"));
    }
    Ok((ending, report))
}

async fn start<E: TaskExecutor<Definition: FileDefinition> + 'static>(
    program: Program,
    store: impl Store<TaskSpec<E::Definition>> + 'static,
    setup: Setup<E>,
    http: Option<HttpServer>,
) -> anyhow::Result<(Agent<E>, Arc<Board>)> {
    let board = Arc::new(Board::default());
    let agent = Agent::start(store, setup, Arc::clone(&board)).await?;
    if let Some(http) = http {
        // This ends with the runtime.
        tokio::spawn(http.serve(agent.served(program)));
    }
    Ok((agent, board))
}

fn recorded(http: Option<&HttpServer>) -> Option<Recorded> {
    http.map(|http| http.recorded().clone())
}

/// How the tasks are shown.
#[derive(Clone, Copy)]
struct Shown {
    program: Program,
    /// Whether the agent logs on standard error.
    logging: bool,
    /// Whether the output of the tasks is shown.
    logs: bool,
}

impl Shown {
    fn output(self) -> Output {
        if self.logs { Output::shown() } else { Output::hidden() }
    }

    /// Runs the agent and shows its tasks until it ends. Turns signals into orders.
    #[expect(clippy::too_many_arguments, reason = "everything that the agent needs, in one call")]
    async fn show<E: TaskExecutor<Definition: FileDefinition> + 'static>(
        self,
        agent: Agent<E>,
        board: Arc<Board>,
        orders: mpsc::UnboundedReceiver<Order<E::Definition>>,
        sender: mpsc::UnboundedSender<Order<E::Definition>>,
        ending: Ending,
        mut signals: Signals,
        reread: Arc<Notify>,
    ) -> anyhow::Result<Report> {
        let hints = match ending {
            Ending::WithTasks | Ending::StopTasks => {
                ["Ctrl-C: shut down", "Ctrl-C again: kill", "killing"]
            }
            Ending::LeaveTasks => ["Ctrl-C: leave the tasks", "leaving", "leaving"],
        };
        let mut hints = hints.into_iter();
        let hint = watch::Sender::new(hints.next().unwrap_or_default());
        let mut running = tokio::spawn(agent.run(orders));
        let (done, is_done) = oneshot::channel::<()>();
        let had_terminal = stdout().is_terminal();
        // Log lines between two pictures of the table would break the table.
        let plain = self.logs || (self.logging && std::io::stderr().is_terminal());
        let form = if plain { Form::Plain } else { Form::of_stdout() };
        let (showing, shown) = (Arc::clone(&board), hint.subscribe());
        let view = tokio::spawn(view::show(showing, tokio::io::stdout(), form, shown, is_done));
        let mut count = 0;
        let report = loop {
            tokio::select! {
                report = &mut running => break report?,
                request = signals.next() => match request {
                    SignalRequest::End => count += 1,
                    SignalRequest::Reread => {
                        reread.notify_one();
                        // A closed terminal also sends SIGHUP.
                        let is_closed = had_terminal && !stdout().is_terminal();
                        board.notice("terminal", is_closed.then(without_terminal));
                        continue;
                    }
                },
            }
            hint.send_replace(hints.next().unwrap_or("ending"));
            match (ending, count) {
                (_, 1) => _ = sender.send(Order::End),
                (Ending::WithTasks | Ending::StopTasks, 2) => _ = sender.send(Order::Kill),
                (Ending::WithTasks, _) => {}
                (Ending::StopTasks | Ending::LeaveTasks, _) => {
                    running.abort();
                    anyhow::bail!(
                        "the agent ended at once after repeated signals; the tasks may still run, and \
                         the next agent on this state finds them"
                    );
                }
            }
        };
        drop(done);
        tokio::select! {
            shown = view => if let Err(error) = shown? {
                // The tasks have ended; only the view has failed.
                self.program.complain(&format!("cannot show the tasks: {error}"));
            },
            // The view may be blocked because nothing reads its output.
            _ = signals.next() => {}
        }
        Ok(report)
    }
}

/// Returns the notice for `ps` that the agent has lost its terminal.
fn without_terminal() -> String {
    let pid = std::process::id();
    format!("the agent's terminal was closed and the agent keeps running; end it with: kill {pid}")
}
