//! The output of containers: streams, terminal, tail, since, follow, attributes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::sync::{Arc, Mutex};

use agent_kit::TaskExecutor as _;
use docker_agent::definition::{DockerDefinition, LogDriver};
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use onward::exec::{
    Assignment, Controller as _, ControllerError, Executor as _, LogMessage, LogStream,
    LogSubscriptionOptions,
};
use support::engine::{OwnEngine, engine, exec};
use support::life::{Life, PATIENCE, shell};
use tokio::time::timeout;

type Said = Arc<Mutex<Vec<LogMessage>>>;

/// Reads the logs of a task until they end.
async fn read(
    life: &Life,
    definition: &DockerDefinition,
    options: LogSubscriptionOptions,
    said: &Said,
) -> Result<(), ControllerError> {
    let assignment = Assignment::new(&*life.id, definition.clone());
    let logs = life.executor.controller(&assignment).await?.logs().unwrap();
    let publish = |message: LogMessage| {
        said.lock().unwrap().push(message);
        std::future::ready(Ok(()))
    };
    timeout(PATIENCE, logs.logs(publish, options)).await.expect("the logs do not end")
}

async fn all(
    life: &Life,
    definition: &DockerDefinition,
    options: LogSubscriptionOptions,
) -> Vec<String> {
    let said = Said::default();
    read(life, definition, options, &said).await.unwrap();
    texts(&said)
}

fn texts(said: &Said) -> Vec<String> {
    let said = said.lock().unwrap();
    said.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect()
}

#[tokio::test]
async fn output_is_read_by_stream_tail_and_time_with_its_attributes() {
    let Some(engine) = engine("output_is_read_by_stream_tail_and_time") else { return };
    let executor = DockerExecutor::new(engine, "logs");
    let mut definition = shell(
        "for i in 1 2 3; do echo out $i; sleep 0.1; echo err $i >&2; sleep 0.1; done; printf end",
    );
    definition.env.insert("COLOR".to_owned(), "red".to_owned());
    definition.labels.insert("mine".to_owned(), "yes".to_owned());
    let options = [("labels", "mine"), ("env", "COLOR,ABSENT")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    definition.log_driver = Some(LogDriver { name: "json-file".to_owned(), options });
    let life = Life::begin(&executor, "streams", definition.clone());
    assert_eq!(life.ends().await.state, TaskState::Complete);

    let said = Said::default();
    let everything = LogSubscriptionOptions::default();
    read(&life, &definition, everything.clone(), &said).await.unwrap();
    let expected = ["out 1\n", "err 1\n", "out 2\n", "err 2\n", "out 3\n", "err 3\n", "end"];
    assert_eq!(texts(&said), expected);
    let said = said.lock().unwrap().clone();
    assert_eq!(said[1].stream, LogStream::Stderr);
    let attributes: Vec<_> =
        said[0].attributes.iter().map(|attribute| (&*attribute.key, &*attribute.value)).collect();
    assert_eq!(attributes, [("mine", "yes"), ("COLOR", "red")]);

    let errors = everything.clone().with_stream(LogStream::Stderr);
    assert_eq!(all(&life, &definition, errors.clone().with_tail(2)).await, ["err 2\n", "err 3\n"]);
    assert_eq!(all(&life, &definition, errors.clone().with_skip(2)).await, ["err 3\n"]);
    assert_eq!(all(&life, &definition, errors.clone().with_tail(0)).await, [""; 0]);
    let since = errors.with_since(said[3].timestamp.unwrap());
    assert_eq!(all(&life, &definition, since.clone()).await, ["err 2\n", "err 3\n"]);
    assert_eq!(all(&life, &definition, since.with_tail(9)).await, ["err 2\n", "err 3\n"]);
    let follow = LogSubscriptionOptions::follow().with_tail(1);
    assert_eq!(all(&life, &definition, follow).await, ["end"]);
    life.remove().await;
}

#[tokio::test]
async fn a_terminal_is_read_as_standard_output() {
    let Some(engine) = engine("a_terminal_is_read_as_standard_output") else { return };
    let executor = DockerExecutor::new(engine, "logs");
    let mut definition = shell("echo out; echo err >&2; printf '\\001 end'");
    definition.tty = true;
    let life = Life::begin(&executor, "terminal", definition.clone());
    assert_eq!(life.ends().await.state, TaskState::Complete);
    let everything = LogSubscriptionOptions::default();
    assert_eq!(all(&life, &definition, everything).await, ["out\r\n", "err\r\n", "\u{1} end"]);
    life.remove().await;
}

#[tokio::test]
async fn a_follower_waits_for_the_start_and_reads_to_the_end() {
    let Some(engine) = engine("a_follower_waits_for_the_start_and_reads_to_the_end") else {
        return;
    };
    let executor = DockerExecutor::new(engine, "logs");
    let definition = shell("echo begin; until [ -e /tmp/end ]; do sleep 0.1; done; echo end");
    let life = Life::begin(&executor, "followed", definition.clone());
    let said = Said::default();
    let follow = LogSubscriptionOptions::follow();
    let following = read(&life, &definition, follow, &said);
    let ending = async {
        let status = life.reaches(TaskState::Running).await;
        exec(&status.container_status.unwrap().container_id, "touch /tmp/end", "");
    };
    let (followed, ()) = tokio::join!(following, ending);
    followed.unwrap();
    assert_eq!(texts(&said), ["begin\n", "end\n"]);
    life.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_reads_each_line_once_when_its_engine_comes_back() {
    let flags = ["--live-restore"];
    let Some(own) = OwnEngine::start("a follower of an engine that comes back", &flags) else {
        return;
    };
    let executor = DockerExecutor::new(own.engine(), "logs");
    let line = "i=0; until [ -e /tmp/end ]; do echo $i; i=$((i+1)); sleep 0.02; done; echo end";
    let definition = shell(line);
    let life = Life::begin(&executor, "followed", definition.clone());
    let said = Said::default();
    let following = read(&life, &definition, LogSubscriptionOptions::follow(), &said);
    let restarting = async {
        let status = life.reaches(TaskState::Running).await;
        let read_some = async {
            while said.lock().unwrap().len() < 10 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, read_some).await.expect("no lines are read");
        tokio::task::block_in_place(|| {
            own.kill();
            own.start_again(&flags);
        });
        own.exec(&status.container_status.unwrap().container_id, "touch /tmp/end");
    };
    let (followed, ()) = tokio::join!(following, restarting);
    followed.unwrap();
    let mut lines = texts(&said);
    assert_eq!(lines.pop().unwrap(), "end\n");
    let expected: Vec<_> = (0..lines.len()).map(|number| format!("{number}\n")).collect();
    assert_eq!(lines, expected);
    life.remove().await;
}

#[tokio::test]
async fn the_logs_of_a_task_that_has_ended_without_a_container_end() {
    let Some(engine) = engine("the_logs_of_a_task_without_a_container") else { return };
    let executor = DockerExecutor::new(engine, "logs");
    let publish = |_: LogMessage| std::future::ready(Ok(()));
    let (definition, follow) = (shell("exit 0"), LogSubscriptionOptions::follow());
    let logs = executor.logs("never-assigned", &definition, publish, follow, async {});
    timeout(PATIENCE, logs).await.expect("the logs do not end").unwrap();
}
