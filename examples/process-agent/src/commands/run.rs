use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use onward::agent::{MemoryStore, Store};
use onward::{TaskState, TaskStatus};
use process_agent::agent::{Agent, Ending, Order, Report, Setup, TaskSpec};
use process_agent::board::Board;
use process_agent::definition::ProcessDefinition;
use process_agent::output::Output;
use process_agent::socket::Server;
use process_agent::state::State;
use process_agent::task_file::TaskFile;
use process_agent::view::{self, Form};
use process_agent::watcher::Watcher;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::{OnExit, Run, complain};

/// The demo, which runs where no file is named.
const DEMO: &str = include_str!("../../demo.toml");

pub(crate) fn run(arguments: Run) -> anyhow::Result<ExitCode> {
    let Run { file, state, on_exit, strict, logs } = arguments;
    let shown = Shown { logging: log_to_stderr(), logs };
    // While a signal still ends the program: it may be a pipe that nobody writes to.
    let tasks = match (&file, &state) {
        (Some(path), _) => TaskFile::read(path)?,
        (None, None) => TaskFile::parse("demo.toml", DEMO)?,
        (None, Some(dir)) => {
            let dir = dir.display();
            anyhow::bail!("a state needs a file of tasks: process-agent run FILE --state {dir}");
        }
    };
    let runtime = Builder::new_multi_thread()
        .enable_all()
        // The first thread for blocking work stays: where the system gives no more, work waits
        // for it instead of failing.
        .thread_keep_alive(Duration::from_secs(u64::from(u32::MAX)))
        .build()
        .context("the runtime cannot be started")?;
    let ran = runtime.block_on(async {
        tokio::task::spawn_blocking(|| {}).await?;
        match (file, state) {
            (Some(file), Some(dir)) => {
                let ending = match on_exit.unwrap_or(OnExit::Leave) {
                    OnExit::Leave => Ending::LeaveTasks,
                    OnExit::Stop => Ending::StopTasks,
                };
                with_state(&file, tasks, &dir, ending, shown).await
            }
            _ => without_state(tasks, shown).await,
        }
    });
    // Something may still be writing where nobody reads.
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

/// Until all tasks have ended. Everything is in a temporary directory.
async fn without_state(file: TaskFile, shown: Shown) -> anyhow::Result<(Ending, Report)> {
    let root = tempfile::Builder::new()
        .prefix("process-agent-")
        .tempdir()
        .context("the tasks have no place; set TMPDIR to a directory that can be written to")?;
    let (ending, output) = (Ending::WithTasks, shown.output());
    let setup = Setup { root: root.path().to_owned(), file, ending, output };
    let (agent, board) = start(MemoryStore::new(), setup).await?;
    let (sender, orders) = mpsc::unbounded_channel();
    let report = shown.show(agent, board, orders, sender, ending, None).await?;
    for (name, error) in &report.removal_errors {
        complain(&format!("the task {name} could not be removed: {error}"));
    }
    if !report.removal_errors.is_empty() {
        complain(&format!("what is left is in {}", root.keep().display()));
    }
    Ok((ending, report))
}

/// Until it is told to end. Everything is in `dir`.
async fn with_state(
    path: &Path,
    file: TaskFile,
    dir: &Path,
    ending: Ending,
    shown: Shown,
) -> anyhow::Result<(Ending, Report)> {
    if !path.metadata().is_ok_and(|found| found.is_file()) {
        let path = path.display();
        anyhow::bail!("{path}: it is to be read again when it changes, so it must be a file");
    }
    let state = State::open(dir).await?;
    let mut watcher =
        Watcher::new(path).with_context(|| format!("{} cannot be watched", path.display()))?;
    let reread = watcher.trigger();
    let setup = Setup { root: state.tasks_dir(), file, ending, output: shown.output() };
    let (agent, board) = start(state.store.clone(), setup).await?;
    let server = Server::bind(&state.dir)?;
    let (sender, orders) = mpsc::unbounded_channel();
    // It may have changed before it was watched.
    reread.notify_one();
    let watching = tokio::spawn({
        let sender = sender.clone();
        async move { while sender.send(Order::File(watcher.next().await)).is_ok() {} }
    });
    let serving = tokio::spawn({
        let (tasks, executor, sender) = (agent.tasks(), agent.executor(), sender.clone());
        async move { server.serve(tasks, executor, sender).await }
    });
    let report = shown.show(agent, board, orders, sender, ending, Some(reread)).await;
    watching.abort();
    serving.abort();
    // The socket is taken away while the state is still this agent's.
    _ = serving.await;
    if let Err(error) = state.store.close().await {
        complain(&error.to_string());
    }
    let report = report?;
    for (name, error) in &report.removal_errors {
        complain(&format!("the task {name} could not be removed: {error}"));
    }
    Ok((ending, report))
}

async fn start(
    store: impl Store<TaskSpec<ProcessDefinition>> + 'static,
    setup: Setup,
) -> anyhow::Result<(Agent, Arc<Board>)> {
    let board = Arc::new(Board::default());
    Ok((Agent::start(store, setup, Arc::clone(&board)).await?, board))
}

/// How the tasks are shown.
#[derive(Clone, Copy)]
struct Shown {
    /// What happens is logged on standard error.
    logging: bool,
    /// What the tasks say is shown.
    logs: bool,
}

impl Shown {
    fn output(self) -> Output {
        if self.logs { Output::shown() } else { Output::hidden() }
    }

    /// Shows what the agent does, and tells it what signals mean, until its end.
    async fn show(
        self,
        agent: Agent,
        board: Arc<Board>,
        orders: mpsc::UnboundedReceiver<Order>,
        sender: mpsc::UnboundedSender<Order>,
        ending: Ending,
        reread: Option<Arc<Notify>>,
    ) -> anyhow::Result<Report> {
        let mut signals = Signals::new(reread)?;
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
        // Lines of text between the pictures would tear them apart.
        let plain = self.logs || (self.logging && std::io::stderr().is_terminal());
        let form = if plain { Form::Plain } else { Form::of_stdout() };
        let view =
            tokio::spawn(view::show(board, tokio::io::stdout(), form, hint.subscribe(), is_done));
        let mut count = 0;
        let report = loop {
            tokio::select! {
                report = &mut running => break report?,
                () = signals.next() => count += 1,
            }
            hint.send_replace(hints.next().unwrap_or("ending"));
            match (ending, count) {
                (_, 1) => _ = sender.send(Order::End),
                (Ending::WithTasks | Ending::StopTasks, 2) => _ = sender.send(Order::Kill),
                (Ending::WithTasks, _) => {}
                (Ending::StopTasks | Ending::LeaveTasks, _) => {
                    running.abort();
                    anyhow::bail!("ended at once; the next agent on this state finds the tasks");
                }
            }
        };
        drop(done);
        tokio::select! {
            shown = view => if let Err(error) = shown? {
                // The tasks have ended well enough without.
                complain(&format!("the tasks could not be shown: {error}"));
            },
            // Nobody reads it.
            () = signals.next() => {}
        }
        Ok(report)
    }
}

/// The signals that ask the program to end, but for those that it was started to ignore, as
/// `nohup` does.
struct Signals {
    end: [Option<Signal>; 3],
    /// Has the file read again, with its signal.
    reread: Option<(Option<Signal>, Arc<Notify>)>,
}

impl Signals {
    /// If something can be read again, `HUP` means that.
    fn new(reread: Option<Arc<Notify>>) -> anyhow::Result<Self> {
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            Some(kind).filter(|_| !is_ignored).map(signal).transpose()
        };
        let end = [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, None];
        let hangup = listen(SignalKind::hangup())?;
        let [interrupt, terminate, _] = end;
        Ok(match reread {
            Some(reread) => {
                Self { end: [interrupt, terminate, None], reread: Some((hangup, reread)) }
            }
            None => Self { end: [interrupt, terminate, hangup], reread: None },
        })
    }

    /// Ready when one of them has come.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            if let Some((Some(signal), reread)) = &mut self.reread {
                while signal.poll_recv(context).is_ready() {
                    reread.notify_one();
                }
            }
            let mut signals = self.end.iter_mut().flatten();
            if signals.any(|signal| signal.poll_recv(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// The signals that this process ignores, one bit each, the first for signal 1.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// With `RUST_LOG` set, what happens is logged on standard error; says whether it is.
fn log_to_stderr() -> bool {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    filter.is_ok_and(|filter| {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            // It would say so on standard error, and panic.
            .log_internal_errors(false)
            .try_init()
            .is_ok()
    })
}
