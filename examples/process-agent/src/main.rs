//! The program.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use onward::{TaskState, TaskStatus};
use process_agent::agent::{self, Wish};
use process_agent::board::{Board, Row};
use process_agent::keeper::{self, Stage};
use process_agent::output::Output;
use process_agent::task_file::TaskFile;
use process_agent::view::{self, Form};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    /// when the file cannot be used.
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
            Ok(statuses) => {
                let bad = |status: &TaskStatus| {
                    matches!(status.state, TaskState::Failed | TaskState::Rejected)
                };
                ExitCode::from(u8::from(strict && statuses.iter().any(bad)))
            }
            Err(error) => {
                eprintln!("process-agent: {error:#}");
                ExitCode::from(2)
            }
        },
    }
}

#[tokio::main]
async fn run(file: Option<PathBuf>, logs: bool) -> anyhow::Result<Vec<TaskStatus>> {
    let logging = log_to_stderr();
    // Before there is anything that a signal could leave behind.
    let signals = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];
    let file = match file {
        Some(path) => TaskFile::read(&path)?,
        None => TaskFile::parse("demo.toml", DEMO)?,
    };
    let root = tempfile::Builder::new()
        .prefix("process-agent-")
        .tempdir()
        .context("the tasks have no place; set TMPDIR to a directory that can be written to")?;

    let row = |name: &String| Row::new(name, TaskStatus::new(TaskState::Assigned));
    let rows = file.tasks.iter().map(|task| row(&task.name)).collect();
    let board = Arc::new(Board::new(rows));
    let (wish, wished) = watch::channel(Wish::Run);
    let output = if logs { Output::Shown } else { Output::Hidden };
    let tasks = tokio::spawn({
        let (board, root) = (Arc::clone(&board), root.path().to_owned());
        async move { agent::run(file, &root, board, wished, output).await }
    });

    let hint = watch::Sender::new("Ctrl-C: shut down");
    let done = watch::Sender::new(false);
    let mut is_done = done.subscribe();
    // Lines of text between the pictures would tear them apart.
    let plain = logs || (logging && std::io::stderr().is_terminal());
    let form = if plain { Form::Plain } else { Form::of_stdout() };
    let view =
        tokio::spawn(view::show(board, tokio::io::stdout(), form, hint.subscribe(), async move {
            is_done.wait_for(|done| *done).await.is_ok()
        }));

    let statuses = obey(tasks, signals, &wish, &hint).await?;
    done.send_replace(true);
    // The tasks have ended well enough without a view.
    if let Err(error) = view.await? {
        eprintln!("process-agent: the tasks could not be shown: {error}");
    }
    Ok(statuses)
}

/// Waits for the tasks. A first signal asks them to shut down, a second one kills.
async fn obey(
    mut tasks: JoinHandle<Vec<TaskStatus>>,
    mut signals: [Signal; 3],
    wish: &watch::Sender<Wish>,
    hint: &watch::Sender<&'static str>,
) -> anyhow::Result<Vec<TaskStatus>> {
    let [interrupt, terminate, hangup] = &mut signals;
    loop {
        tokio::select! {
            statuses = &mut tasks => return Ok(statuses?),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        let (wished, next) = match *wish.borrow() {
            Wish::Run => (Wish::Shutdown, "Ctrl-C again: kill"),
            Wish::Shutdown | Wish::Kill => (Wish::Kill, "killing"),
        };
        wish.send_replace(wished);
        hint.send_replace(next);
    }
}

/// With `RUST_LOG` set, what happens is logged on standard error; says whether it is.
fn log_to_stderr() -> bool {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    filter.is_ok_and(|filter| {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .try_init()
            .is_ok()
    })
}
