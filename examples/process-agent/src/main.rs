//! The program.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use onward::{TaskState, TaskStatus};
use process_agent::agent::{self, Report, Wish};
use process_agent::board::{Board, Row};
use process_agent::keeper::{self, Stage};
use process_agent::output::Output;
use process_agent::task_file::TaskFile;
use process_agent::view::{self, Form};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// The demo, which runs where no file is named.
const DEMO: &str = include_str!("../demo.toml");

/// Takes operating-system processes through their lives.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the tasks of a file until all of them have ended.
    ///
    /// Ctrl-C asks every task to shut down and waits for it; a second one kills.
    /// Exits with 0 when every task has come to an end, whatever it was; with 2
    /// when the file cannot be used; with 3 when something of a task is left.
    Run {
        /// The file of tasks, in TOML; without it, a demo that is compiled in.
        file: Option<PathBuf>,
        /// Exit with 1 if a task has failed or was rejected.
        #[arg(long)]
        strict: bool,
        /// Show what the tasks say, line by line, instead of a table.
        #[arg(long)]
        logs: bool,
    },
    /// Holds the workload of the task in DIR; started by the agent.
    #[command(hide = true)]
    Keeper {
        /// Be the keeper, instead of starting it.
        #[arg(long)]
        keep: bool,
        /// The task's directory.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        // Before there is any thread.
        Command::Keeper { keep, dir } => {
            keeper::run(&dir, if keep { Stage::Keep } else { Stage::Launch })
        }
        Command::Run { file, strict, logs } => match run(file, logs) {
            Ok(report) => exit_code(&report, strict),
            Err(error) => {
                complain(&format!("{error:#}"));
                ExitCode::from(2)
            }
        },
    }
}

fn exit_code(report: &Report, strict: bool) -> ExitCode {
    let bad = |status: &TaskStatus| matches!(status.state, TaskState::Failed | TaskState::Rejected);
    let Report { statuses, left } = report;
    if !left.is_empty() || !statuses.iter().all(|status| status.state.is_terminal()) {
        ExitCode::from(3)
    } else if strict && statuses.iter().any(bad) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// Not by `eprintln`, which panics where standard error cannot be written to.
fn complain(text: &str) {
    _ = writeln!(std::io::stderr(), "process-agent: {text}");
}

fn run(file: Option<PathBuf>, logs: bool) -> anyhow::Result<Report> {
    let logging = log_to_stderr();
    // While a signal still ends the program: it may be a pipe that nobody writes to.
    let file = match file {
        Some(path) => TaskFile::read(&path)?,
        None => TaskFile::parse("demo.toml", DEMO)?,
    };
    let root = tempfile::Builder::new()
        .prefix("process-agent-")
        .tempdir()
        .context("the tasks have no place; set TMPDIR to a directory that can be written to")?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        // The first thread for blocking work stays: where the system gives no more, work waits
        // for it instead of failing.
        .thread_keep_alive(Duration::from_secs(u64::from(u32::MAX)))
        .build()
        .context("the runtime cannot be started")?;
    let report = runtime.block_on(async {
        tokio::task::spawn_blocking(|| {}).await?;
        run_file(file, root.path(), logs, logging).await
    });
    // Something may still be writing where nobody reads.
    runtime.shutdown_background();
    let report = report?;
    for (name, error) in &report.left {
        complain(&format!("the task {name} could not be removed: {error:#}"));
    }
    if !report.left.is_empty() {
        complain(&format!("what is left is in {}", root.keep().display()));
    }
    Ok(report)
}

async fn run_file(
    file: TaskFile,
    root: &Path,
    logs: bool,
    logging: bool,
) -> anyhow::Result<Report> {
    let mut signals = Signals::new()?;
    let row = |name: &String| Row::new(name, TaskStatus::new(TaskState::Assigned));
    let rows = file.tasks.iter().map(|task| row(&task.name)).collect();
    let board = Arc::new(Board::new(rows));
    let (wish, wished) = watch::channel(Wish::Run);
    let output = if logs { Output::shown() } else { Output::hidden() };
    let mut tasks = tokio::spawn({
        let (board, root) = (Arc::clone(&board), root.to_owned());
        async move { agent::run(file, &root, board, wished, output).await }
    });

    let hint = watch::Sender::new("Ctrl-C: shut down");
    let (done, is_done) = oneshot::channel::<()>();
    // Lines of text between the pictures would tear them apart.
    let plain = logs || (logging && std::io::stderr().is_terminal());
    let form = if plain { Form::Plain } else { Form::of_stdout() };
    let view =
        tokio::spawn(view::show(board, tokio::io::stdout(), form, hint.subscribe(), is_done));

    // A first signal asks the tasks to shut down, a second one kills.
    let report = loop {
        tokio::select! {
            report = &mut tasks => break report?,
            () = signals.next() => {}
        }
        let (wished, next) = match *wish.borrow() {
            Wish::Run => (Wish::Shutdown, "Ctrl-C again: kill"),
            Wish::Shutdown | Wish::Kill => (Wish::Kill, "killing"),
        };
        // What is wished already is no news, and would only begin the same again.
        wish.send_if_modified(|wish| std::mem::replace(wish, wished) != wished);
        hint.send_replace(next);
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

/// The signals that ask the program to end, but for those that it was started to ignore, as
/// `nohup` does.
struct Signals([Option<Signal>; 3]);

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let ignored = ignored_signals();
        let listen = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            Some(kind).filter(|_| !is_ignored).map(signal).transpose()
        };
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Ready when one of them has come.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut().flatten();
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
