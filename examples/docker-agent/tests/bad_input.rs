//! Definitions, ids and engines that are wrong, and the errors for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::process::Command;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, ListNetworksOptions, RemoveImageOptions};
use docker_agent::definition::{Cpus, DockerDefinition, Isolation, Network};
use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::exec::Executor as _;
use onward::{TaskState, TaskStatus};
use support::engine::{IMAGE, engine};
use support::life::{Life, exit_code, shell, when_set};

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

/// The definition of a container that exits, with a change.
fn with(change: fn(&mut DockerDefinition)) -> DockerDefinition {
    let mut definition = shell("exit 0");
    change(&mut definition);
    definition
}

/// Checks that a task of each definition is rejected, and has these words in its error.
async fn are_rejected(engine: Engine, cases: Vec<(DockerDefinition, &str)>) {
    let executor = DockerExecutor::new(engine, "bad-input");
    for (definition, words) in cases {
        let life = Life::begin(&executor, "refused", definition);
        let status = life.ends().await;
        assert_eq!(status.state, TaskState::Rejected, "{words}: {status:?}");
        assert!(err(&status).contains(words), "{words}: {status:?}");
        life.remove().await;
    }
}

#[tokio::test]
async fn absurd_limits_are_refused_in_the_words_of_the_engine() {
    let Some(engine) = engine("absurd_limits_are_refused_in_the_words_of_the_engine") else {
        return;
    };
    let swap = with(|task| {
        task.resources.memory = Some(64 << 20);
        task.resources.memory_swap = Some(32 << 20);
    });
    let check = with(|task| {
        let check = r#"{"test": ["CMD", "true"], "interval": "1ns"}"#;
        task.healthcheck = Some(serde_json::from_str(check).unwrap());
    });
    let cpus = with(|task| task.resources.cpus = Some(Cpus(1_000_000 * 1_000_000_000)));
    let cases = [
        (with(|task| task.resources.memory = Some(1)), "Minimum memory limit allowed is"),
        (with(|task| task.resources.memory = Some(-5)), "Minimum memory limit allowed is"),
        (with(|task| task.resources.memory_swappiness = Some(500)), "memory swappiness range is"),
        (with(|task| task.oom_score_adj = Some(5000)), "range for oom score adj"),
        (swap, "Minimum memoryswap limit should be larger than memory limit"),
        (check, "Interval in Healthcheck cannot be less than"),
        (cpus, "Range of CPUs is from"),
    ];
    are_rejected(engine, cases.into()).await;
}

#[tokio::test]
async fn names_that_a_request_cannot_have_are_refused() {
    let Some(engine) = engine("names_that_a_request_cannot_have_are_refused") else { return };
    let volume = with(|task| {
        let mount = r#"{"type": "volume", "source": "a/../b", "target": "/v"}"#;
        task.mounts.push(serde_json::from_str(mount).unwrap());
    });
    let name = with(|task| task.container_name = Some("../x".to_owned()));
    let cases = [
        (with(|task| task.image = "a b".to_owned()), "\"a b\" is no image"),
        (with(|task| task.image = "../containers".to_owned()), "\"../containers\" is no image"),
        (with(|task| task.image = "UPPER".to_owned()), "repository name must be lowercase"),
        (name, "\"../x\" cannot be a container's name"),
        (volume, "a/../b"),
    ];
    are_rejected(engine, cases.into()).await;
}

#[tokio::test]
async fn options_that_are_wrong_are_refused_by_name() {
    let Some(engine) = engine("options_that_are_wrong_are_refused_by_name") else { return };
    let platform = with(|task| task.platform = Some("linux/arm64".to_owned()));
    let spec = with(|task| task.privileges.credential_spec = Some(String::new()));
    let windows = "`isolation` is for containers of Windows";
    let cases = [
        (platform, "does not match the specified platform: wanted linux/arm64"),
        (with(|task| task.stop_signal = Some("NONSENSE".to_owned())), "NONSENSE"),
        (with(|task| task.capability_add = vec!["FLYING".to_owned()]), "FLYING"),
        (with(|task| task.hosts = vec!["nonsense".to_owned()]), "nonsense"),
        (with(|task| task.env_file = Some("/no/such/env".into())), "/no/such/env"),
        (spec, "privileges.credential_spec"),
        (with(|task| task.isolation = Isolation::Process), windows),
        (with(|task| task.isolation = Isolation::HyperV), windows),
    ];
    are_rejected(engine, cases.into()).await;
}

#[tokio::test]
async fn an_option_that_the_engine_would_ignore_is_refused() {
    let Some(engine) = engine("an_option_that_the_engine_would_ignore_is_refused") else { return };
    let has = engine.client().await.unwrap().client_version();
    if (has.major_version, has.minor_version) >= (1, 45) {
        return;
    }
    let executor = DockerExecutor::new(engine, "bad-input");
    let mount = r#"{"type": "volume", "target": "/v", "subpath": "part"}"#;
    let mut definition = shell("exit 0");
    definition.mounts.push(serde_json::from_str(mount).unwrap());
    let life = Life::begin(&executor, "ignored", definition);
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Rejected, "{status:?}");
    let words = format!(
        "`mounts.subpath` needs version 1.45 of the API (Docker 26), and the engine has {has}"
    );
    assert!(err(&status).contains(&words), "{status:?}");
    life.remove().await;
}

#[tokio::test]
async fn a_network_of_any_name_is_made_and_removed() {
    let Some(engine) = engine("a_network_of_any_name_is_made_and_removed") else { return };
    let client = engine.client().await.unwrap().clone();
    let executor = DockerExecutor::new(engine, "bad-input");
    for name in ["a/b", "a b?c#d%2F", "..", "ä ö"] {
        let mut definition = shell("exit 0");
        definition.networks = vec![Network::new(format!("bad-input {name}"))];
        let life = Life::begin(&executor, "network", definition);
        let status = life.ends().await;
        let names = [TaskState::Complete, TaskState::Rejected];
        assert!(names.contains(&status.state), "{name}: {status:?}");
        life.remove().await;
    }
    let left = client.list_networks(None::<ListNetworksOptions>).await.unwrap();
    let names = left.into_iter().filter_map(|network| network.name);
    let left: Vec<_> = names.filter(|name| name.starts_with("bad-input ")).collect();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn an_absurd_grace_is_no_obstacle_to_a_container_that_stops() {
    let Some(engine) = engine("an_absurd_grace_is_no_obstacle") else { return };
    let executor = DockerExecutor::new(engine, "bad-input");
    let line = "trap 'exit 3' TERM; touch /tmp/set; while :; do sleep 1000 & wait; done";
    let definition = DockerDefinition { stop_grace: Duration::MAX, ..when_set(shell(line)) };
    let life = Life::begin(&executor, "absurd-grace", definition);
    life.reaches(TaskState::Running).await;
    let status = life.shut_down().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Shutdown, Some(3)));
    life.remove().await;
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
