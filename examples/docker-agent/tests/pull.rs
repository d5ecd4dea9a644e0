//! Pulls from a registry: shared, with progress and credentials, and refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use docker_agent::definition::{ContainerFile, DockerDefinition, PullPolicy};
use docker_agent::dependencies::Dependencies;
use docker_agent::executor::DockerExecutor;
use futures::FutureExt as _;
use onward::TaskState;
use onward::exec::{Assignment, Controller as _, ControllerError, Executor as _, ProgressReporter};
use support::engine::OwnEngine;
use support::life::{Life, PATIENCE};
use support::registry::{PIECES, Registry};
use tokio::time::{sleep, timeout};

/// Has credentials for every image, and no files.
struct Credentials;

impl Dependencies for Credentials {
    fn file(&self, _: &str, _: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        Err(ControllerError::new("there are no files"))
    }

    fn credentials(&self, _: &str, _: &str) -> Result<Option<DockerCredentials>, ControllerError> {
        let (username, password) = (Some("user".to_owned()), Some("secret".to_owned()));
        Ok(Some(DockerCredentials { username, password, ..DockerCredentials::default() }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_pulled_once_with_progress_and_credentials() {
    let Some(own) = OwnEngine::start("images_are_pulled_once_with_progress_and_credentials", &[])
    else {
        return;
    };
    let executor = DockerExecutor::new(own.engine(), "pull");

    // A pull that is dropped at every poll goes on, and is begun once.
    let registry = Registry::start(&own, "sleep", None);
    let definition = DockerDefinition::new(registry.image("1"));
    let assignment = Assignment::new("shared", definition);
    let mut controller = executor.controller(&assignment).await.unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let shown = lines.clone();
    controller.set_progress(ProgressReporter::new(move |line| shown.lock().unwrap().push(line)));
    let preparing = async {
        loop {
            if let Some(prepared) = controller.prepare().now_or_never() {
                return prepared;
            }
            registry.let_pass(20);
            // An operation that is dropped at its first poll never gets further than its first
            // request.
            if let Ok(prepared) = timeout(Duration::from_millis(50), controller.prepare()).await {
                return prepared;
            }
        }
    };
    timeout(PATIENCE, preparing).await.expect("the image is not pulled").unwrap();
    assert_eq!(registry.layers_sent(), 1);
    let first = lines.lock().unwrap().first().cloned().unwrap();
    assert_eq!(first, format!("pulling {}", registry.image("1")));
    let shows_bytes = |line: &std::borrow::Cow<'_, str>| {
        line.starts_with(&*format!("{first}: ")) && line.contains(" of ")
    };
    assert!(lines.lock().unwrap().iter().any(shows_bytes), "{lines:?}");
    controller.start().await.unwrap();
    controller.remove().await.unwrap();

    // A pull ends with its controller.
    let abandoned = Registry::start(&own, "usleep", None);
    let assignment = Assignment::new("abandoned", DockerDefinition::new(abandoned.image("1")));
    let mut controller = executor.controller(&assignment).await.unwrap();
    let begun = async {
        while abandoned.layers_sent() == 0 {
            _ = timeout(Duration::from_millis(50), controller.prepare()).await;
        }
    };
    timeout(PATIENCE, begun).await.expect("the pull does not begin");
    controller.close().await.unwrap();
    assert!(controller.prepare().await.is_err());
    let ended = async {
        while abandoned.layers_abandoned() == 0 {
            // The engine notices when it next shows progress.
            abandoned.let_pass(1);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the pull goes on");

    // An image that the registry does not have is rejected, with the engine's words.
    let unknown = Life::begin(&executor, "unknown", DockerDefinition::new(registry.image("2")));
    let status = unknown.ends().await;
    assert_eq!((status.state, &*status.message), (TaskState::Rejected, "preparing"));
    let err = status.err.unwrap();
    assert!(err.contains("cannot be pulled: manifest unknown"), "{err}");
    unknown.remove().await;

    // So is one that it has for another platform only.
    let platform = Some("linux/arm64".to_owned());
    let definition = DockerDefinition { platform, ..DockerDefinition::new(registry.image("1")) };
    let foreign = Life::begin(
        &executor,
        "foreign",
        DockerDefinition { pull: PullPolicy::Always, ..definition },
    );
    let status = foreign.ends().await;
    assert_eq!((status.state, &*status.message), (TaskState::Rejected, "preparing"));
    let err = status.err.unwrap();
    assert!(err.contains("linux/arm64"), "{err}");
    foreign.remove().await;

    let private = Registry::start(&own, "sleep", Some("Basic dXNlcjpzZWNyZXQ="));
    private.let_pass(PIECES);
    let definition = DockerDefinition::new(private.image("1"));
    let refused = Life::begin(&executor, "no-credentials", definition.clone());
    // The engine reports it as an error of its own.
    let status = refused.until("refused", |status| status.err.is_some()).await;
    assert!(status.err.as_deref().unwrap().contains("no basic auth credentials"), "{status:?}");
    refused.remove().await;
    let with_credentials =
        DockerExecutor::builder(own.engine(), "pull").with_dependencies(Credentials).build();
    let life = Life::begin(&with_credentials, "credentials", definition);
    life.reaches(TaskState::Running).await;
    life.remove().await;

    // A registry that cannot be reached may come back.
    let gone = Life::begin(&executor, "no-registry", DockerDefinition::new("localhost:1/web:1"));
    let status = gone.until("refused", |status| status.err.is_some()).await;
    assert_eq!(status.state, TaskState::Preparing);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(gone.handle.status().state, TaskState::Preparing);
    gone.remove().await;

    // Unless a scheduler is to know at once.
    let at_once = DockerExecutor::builder(own.engine(), "pull").with_retries(false).build();
    let gone = Life::begin(&at_once, "no-retry", DockerDefinition::new("localhost:1/web:1"));
    let status = gone.ends().await;
    assert_eq!(status.state, TaskState::Rejected, "{status:?}");
    let err = status.err.unwrap();
    assert!(err.contains("localhost:1/web:1 cannot be pulled: "), "{err}");
    gone.remove().await;
}
