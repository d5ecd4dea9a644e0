//! Logs: a controller that publishes the output of its workload, and two readers.
//!
//! ```sh
//! cargo run --example 10_logs
//! ```
//!
//! An operation borrows the controller mutably, so a reader cannot call the controller at
//! the same time. Instead, the controller returns a handle on its logs before the first
//! operation. A reader uses the handle while `wait` runs. In this example, one reader
//! follows a running process, and another reads the last line afterwards. With a worker,
//! `WorkerHandle::logs` reads the logs of all tasks of a service.
//!
//! Runs `sh`.

use onward::exec::{
    ControllerLogs, LogMessage, LogPublisher, LogSubscriptionOptions, SharedLogs, SystemClock,
};
use onward::{AnyTask, Controller, ControllerError, Outcome, TaskState, TaskStatus, step};
use std::error::Error;
use std::future::ready;
use std::io::{self, BufRead, BufReader};
use std::thread;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// The lines that a workload has written so far. They are complete when the sender is
/// dropped.
#[derive(Clone)]
struct Output(watch::Receiver<Vec<LogMessage>>);

/// Receives the lines of a workload.
type Lines = watch::Sender<Vec<LogMessage>>;

impl ControllerLogs for Output {
    async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        let mut output = self.0.clone();
        let wanted = |message: &&LogMessage| options.accepts(message);
        let mut next = options.tail.of(output.borrow().iter().filter(wanted).count()).start;
        loop {
            let all = output.borrow_and_update().clone();
            for message in all.iter().filter(wanted).skip(next) {
                publisher.publish(message.clone()).await?;
                next += 1;
            }
            if !options.follow || output.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Runs a shell command.
struct Shell {
    line: &'static str,
    child: Option<Child>,
    lines: Option<Lines>,
    output: Output,
}

impl Controller for Shell {
    type Definition = &'static str;

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.child.is_some() {
            return Err(ControllerError::already_started());
        }
        let (output, input) = io::pipe()?;
        let mut command = Command::new("sh");
        let child = command.args(["-c", self.line]).stdout(input).kill_on_drop(true).spawn()?;
        self.child = Some(child);
        let Some(lines) = self.lines.take() else { return Ok(()) };
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lines.send_modify(|lines| lines.push(LogMessage::stdout(line)));
            }
        });
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else { return Err("not started".into()) };
        let status = child.wait().await?;
        // Also wait for the last line, so that every reader gets all lines.
        let mut output = self.output.0.clone();
        while output.changed().await.is_ok() {}
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        match &mut self.child {
            Some(child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }
    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(self.output.clone()))
    }
}

/// Steps until there is nothing more to do.
async fn live(controller: &mut Shell) -> TaskState {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    while step(&mut task, TaskState::Running, controller, &SystemClock).await == Outcome::Advanced {
        println!("{}", task.state());
    }
    task.state()
}

/// A publisher that collects the lines it receives.
fn collect(name: &str, collected: &mut Vec<String>) -> impl LogPublisher {
    move |message: LogMessage| {
        let text = String::from_utf8_lossy(&message.data).into_owned();
        println!("    {name} reads: {text}");
        collected.push(text);
        ready(Ok(()))
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let (lines, output) = watch::channel(Vec::new());
    let line = "for i in one two three; do echo $i; done";
    let mut controller = Shell { line, child: None, lines: Some(lines), output: Output(output) };
    let logs = controller.logs().ok_or("it has logs")?;

    let mut all = Vec::new();
    let follower = logs.logs(collect("the first", &mut all), LogSubscriptionOptions::follow());
    let (followed, state) = futures::join!(follower, live(&mut controller));
    followed?;
    assert_eq!(state, TaskState::Complete);
    assert_eq!(all, ["one", "two", "three"]);

    let mut last = Vec::new();
    let options = LogSubscriptionOptions::default().with_tail(1);
    logs.logs(collect("the second", &mut last), options).await?;
    assert_eq!(last, ["three"]);
    Ok(())
}
