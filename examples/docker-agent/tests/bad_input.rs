//! Definitions, ids and engines that are wrong, and the errors for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::process::Command;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, RemoveImageOptions};
use docker_agent::definition::{Cpus, DockerDefinition};
use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::exec::Executor as _;
use onward::{TaskState, TaskStatus};
use support::engine::{IMAGE, engine};
use support::life::{Life, exit_code, shell};

fn err(status: &TaskStatus) -> String {
    status.err.clone().unwrap_or_default().into_owned()
}

#[tokio::test]
async fn a_task_of_any_id_lives_and_is_found_again() {
    let Some(engine) = engine("a_task_of_any_id_lives_and_is_found_again") else { return };
    let executor = DockerExecutor::new(engine, "bad/input?");
    for id in ["", "..", "a/b", "a b?c#d%2F", "ä ö", "_2F", "\"}]"] {
        let life = Life::begin_with_id(&executor, id.to_owned(), shell("exit 0"));
        assert_eq!(life.ends().await.state, TaskState::Complete, "{id:?}");
        assert!(executor.list().await.unwrap().contains(&life.id));
        life.remove().await;
    }
    let long = Life::begin_with_id(&executor, "/".repeat(500), shell("exit 0"));
    let status = long.ends().await;
    assert_eq!(status.state, TaskState::Rejected);
    assert!(err(&status).contains("the task's id is too long"), "{status:?}");
}

#[tokio::test]
async fn what_the_engine_refuses_is_told_in_its_words() {
    let Some(engine) = engine("what_the_engine_refuses_is_told_in_its_words") else { return };
    let executor = DockerExecutor::new(engine, "bad-input");
    let with = |change: fn(&mut DockerDefinition)| {
        let mut definition = shell("exit 0");
        change(&mut definition);
        definition
    };
    for (definition, words) in [
        (with(|task| task.resources.memory = Some(1)), "Minimum memory limit allowed is"),
        (
            with(|task| task.resources.cpus = Some(Cpus(1_000_000 * 1_000_000_000))),
            "Range of CPUs is from",
        ),
        (
            with(|task| task.platform = Some("linux/arm64".to_owned())),
            "does not match the specified platform: wanted linux/arm64",
        ),
        (with(|task| task.stop_signal = Some("NONSENSE".to_owned())), "NONSENSE"),
        (with(|task| task.capability_add = vec!["FLYING".to_owned()]), "FLYING"),
        (with(|task| task.hosts = vec!["nonsense".to_owned()]), "nonsense"),
        (with(|task| task.image = "a b".to_owned()), "\"a b\" is no image"),
        (
            with(|task| task.container_name = Some("../x".to_owned())),
            "\"../x\" cannot be a container's name",
        ),
        (with(|task| task.env_file = Some("/no/such/env".into())), "/no/such/env"),
        (
            with(|task| task.privileges.credential_spec = Some(String::new())),
            "privileges.credential_spec",
        ),
    ] {
        let life = Life::begin(&executor, "refused", definition);
        let status = life.ends().await;
        assert_eq!(status.state, TaskState::Rejected, "{words}: {status:?}");
        assert!(err(&status).contains(words), "{words}: {status:?}");
        life.remove().await;
    }
}

#[tokio::test]
async fn a_container_of_someone_else_is_not_touched() {
    let Some(engine) = engine("a_container_of_someone_else_is_not_touched") else { return };
    let client = engine.client().await.unwrap().clone();
    let executor = DockerExecutor::new(engine, "bad-input");
    let name = format!("someone-{}", std::process::id());
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["true".to_owned()]),
        ..Default::default()
    };
    let other = client.create_container(Some(options), body).await.unwrap().id;
    let mut definition = shell("exit 0");
    definition.container_name = Some(name);
    let life = Life::begin(&executor, "name-in-use", definition);
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Rejected);
    assert!(err(&status).contains("is already in use by container"), "{status:?}");
    life.remove().await;
    client.inspect_container(&other, None).await.expect("the container is still there");
    client.remove_container(&other, None).await.unwrap();
}

/// Makes an image for another platform. Its program is one for that platform too.
fn load_foreign_image(engine: &Engine, image: &str) {
    let line = format!(
        "set -e; cd \"$0\"; export DOCKER_HOST={host}
         cp \"$(command -v busybox)\" foreign
         # The machine in the header of an ELF file: that of aarch64.
         printf '\\267\\0' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
         tar -cf - foreign | docker import - {image} > import.log
         mkdir image; docker save {image} | tar -xf - -C image
         docker rmi {image} > rmi.log
         sed -i 's/\"architecture\":\"[a-z0-9]*\"/\"architecture\":\"arm64\"/' image/*.json
         tar -C image -cf - . | docker load > load.log",
        host = engine.host(),
    );
    let dir = tempfile::tempdir().unwrap();
    let done = Command::new("sh").args(["-c", &line]).arg(dir.path()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[tokio::test]
async fn a_container_of_an_image_for_another_platform_has_failed() {
    let Some(engine) = engine("a_container_of_an_image_for_another_platform_has_failed") else {
        return;
    };
    let image = format!("onward-test/foreign:{}", std::process::id());
    load_foreign_image(&engine, &image);
    let client = engine.client().await.unwrap().clone();
    let loaded = client.inspect_image(&image).await.unwrap();
    assert_eq!(loaded.architecture.as_deref(), Some("arm64"));
    let executor = DockerExecutor::new(engine, "bad-input");
    let definition = DockerDefinition::new(&*image).with_args(["/foreign", "true"]);

    // The engine tries to run it, since the host may have an emulator. Its kernel has none.
    let life = Life::begin(&executor, "foreign", definition.clone());
    let status = life.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(1)), "{status:?}");
    life.remove().await;

    let platform = Some("linux/amd64".to_owned());
    let life = Life::begin(&executor, "refused", DockerDefinition { platform, ..definition });
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Rejected);
    let words = "does not match the specified platform: wanted linux/amd64, actual: linux/arm64";
    assert!(err(&status).contains(words), "{status:?}");
    life.remove().await;
    client.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
}
