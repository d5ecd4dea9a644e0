//! What a workload says while it runs, and who listens.
//!
//! ```sh
//! cargo run --example 10_logs
//! ```
//!
//! An operation has the controller for itself, so logs are a handle of their own: it is
//! handed out before the first operation, and read beside `wait`. One reader here
//! follows a process while it runs; another one comes later, and wants the last line.
//! A worker does the same for all tasks of a service, with `WorkerHandle::logs`.
//!
//! It runs `sh`.

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

/// What a workload has said so far. When its sender is gone, that is all.
#[derive(Clone)]
struct Said(watch::Receiver<Vec<LogMessage>>);

/// Where a workload says it.
type Say = watch::Sender<Vec<LogMessage>>;

impl ControllerLogs for Said {
    async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        let mut said = self.0.clone();
        let wanted = |message: &&LogMessage| options.accepts(message);
        let mut next = options.tail.of(said.borrow().iter().filter(wanted).count()).start;
        loop {
            let all = said.borrow_and_update().clone();
            for message in all.iter().filter(wanted).skip(next) {
                publisher.publish(message.clone()).await?;
                next += 1;
            }
            if !options.follow || said.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Runs a line of shell.
struct Shell {
    line: &'static str,
    child: Option<Child>,
    say: Option<Say>,
    said: Said,
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
        let Some(say) = self.say.take() else { return Ok(()) };
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                say.send_modify(|said| said.push(LogMessage::stdout(line)));
            }
        });
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else { return Err("not started".into()) };
        let status = child.wait().await?;
        // Nor has it ended before all that it said is there.
        let mut said = self.said.0.clone();
        while said.changed().await.is_ok() {}
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        match &mut self.child {
            Some(child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }
    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(self.said.clone()))
    }
}

/// A life by steps, until there is nothing more to do.
async fn live(controller: &mut Shell) -> TaskState {
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    while step(&mut task, TaskState::Running, controller, &SystemClock).await == Outcome::Advanced {
        println!("{}", task.state());
    }
    task.state()
}

/// Puts down what it hears.
fn hear(name: &str, heard: &mut Vec<String>) -> impl LogPublisher {
    move |message: LogMessage| {
        let text = String::from_utf8_lossy(&message.data).into_owned();
        println!("    {name} hears: {text}");
        heard.push(text);
        ready(Ok(()))
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let (say, said) = watch::channel(Vec::new());
    let line = "for i in one two three; do echo $i; done";
    let mut controller = Shell { line, child: None, say: Some(say), said: Said(said) };
    let logs = controller.logs().ok_or("it has logs")?;

    let mut all = Vec::new();
    let follower = logs.logs(hear("the first", &mut all), LogSubscriptionOptions::follow());
    let (followed, state) = futures::join!(follower, live(&mut controller));
    followed?;
    assert_eq!(state, TaskState::Complete);
    assert_eq!(all, ["one", "two", "three"]);

    let mut last = Vec::new();
    let options = LogSubscriptionOptions::default().with_tail(1);
    logs.logs(hear("the second", &mut last), options).await?;
    assert_eq!(last, ["three"]);
    Ok(())
}
