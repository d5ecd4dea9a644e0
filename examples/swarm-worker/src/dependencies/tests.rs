use std::error::Error;

use docker_agent::definition::{DockerDefinition, FileKind};

use super::*;
use crate::template::Context;

const SECRET: &str = "hunter2";

fn secret(id: &str, data: &str) -> wire::Secret {
    let spec = wire::SecretSpec { data: data.into(), ..Default::default() };
    wire::Secret { id: id.to_owned(), spec: Some(spec), ..Default::default() }
}

fn config(id: &str, data: &str, templating: &str) -> wire::Config {
    let templating = wire::Driver { name: templating.to_owned(), ..Default::default() };
    let spec =
        wire::ConfigSpec { data: data.into(), templating: Some(templating), ..Default::default() };
    wire::Config { id: id.to_owned(), spec: Some(spec), ..Default::default() }
}

fn file(kind: FileKind, source: &str, target: &str) -> ContainerFile {
    let (source, target) = (source.to_owned(), target.to_owned());
    ContainerFile { kind, source, target, uid: 0, gid: 0, mode: 0o444 }
}

fn secret_file() -> ContainerFile {
    file(FileKind::Secret, "s1", "app.key")
}

fn task(registry_auth: &str) -> wire::Task {
    let pull_options =
        wire::container_spec::PullOptions { registry_auth: registry_auth.to_owned() };
    let container = wire::ContainerSpec { pull_options: Some(pull_options), ..Default::default() };
    let runtime = wire::task_spec::Runtime::Container(Box::new(container));
    let spec = wire::TaskSpec { runtime: Some(runtime), ..Default::default() };
    wire::Task { id: "t1".to_owned(), spec: Some(spec), ..Default::default() }
}

fn files(has_credentials: bool) -> TaskFiles {
    let mut definition = DockerDefinition::new("x");
    definition.env.insert("A".to_owned(), "1".to_owned());
    definition.files = vec![
        secret_file(),
        file(FileKind::Config, "c1", "/etc/app.conf"),
        file(FileKind::Config, "c2", "plain"),
    ];
    let context = Context { service_name: "web".to_owned(), ..Context::default() };
    TaskFiles { context, definition, has_credentials }
}

fn is_missing(error: &ControllerError) -> bool {
    error.is_temporary() && error.get_ref().is_some_and(<dyn Error>::is::<MissingError>)
}

#[test]
fn a_secret_is_there_from_its_update_until_its_removal() {
    let dependencies = SwarmDependencies::new();
    let missing = dependencies.file("t1", &secret_file()).unwrap_err();
    assert!(is_missing(&missing), "{missing:?}");
    assert_eq!(format!("{missing:#}"), "waiting for the secret app.key from the manager");
    dependencies.update_secret(secret("s1", SECRET));
    assert_eq!(dependencies.file("t1", &secret_file()).unwrap(), SECRET.as_bytes());
    dependencies.remove_secret("s1");
    dependencies.remove_secret("s1");
    assert!(is_missing(&dependencies.file("t1", &secret_file()).unwrap_err()));
}

#[test]
fn a_secret_for_one_task_takes_precedence() {
    let dependencies = SwarmDependencies::new();
    dependencies.update_secret(secret("s1", "of all"));
    dependencies.update_secret(secret("s1.t1", "of one"));
    assert_eq!(dependencies.file("t1", &secret_file()).unwrap(), b"of one");
    assert_eq!(dependencies.file("t2", &secret_file()).unwrap(), b"of all");
}

#[test]
fn a_template_in_a_config_uses_the_files_and_the_environment_of_its_task() {
    let dependencies = SwarmDependencies::new();
    let template = file(FileKind::Config, "c1", "/etc/app.conf");
    let text = "{{.Service.Name}} {{env \"A\"}} {{secret \"app.key\"}} {{config \"plain\"}}";
    dependencies.update_config(config("c1", text, "golang"));
    let registration = dependencies.register("t1", files(false));
    assert!(is_missing(&dependencies.file("t1", &template).unwrap_err()));
    dependencies.update_secret(secret("s1", SECRET));
    dependencies.update_config(config("c2", "{{no template}}", ""));
    let expanded = dependencies.file("t1", &template).unwrap();
    assert_eq!(String::from_utf8(expanded).unwrap(), "web 1 hunter2 {{no template}}");

    // The controller is made again before the old one is dropped.
    let again = dependencies.register("t1", files(false));
    drop(registration);
    assert!(dependencies.file("t1", &template).is_ok());
    drop(again);
    assert!(dependencies.file("t1", &template).unwrap_err().is_temporary());
}

#[test]
fn a_wrong_template_is_refused_with_its_file() {
    let dependencies = SwarmDependencies::new();
    let _registration = dependencies.register("t1", files(false));
    dependencies.update_secret(secret("s1", SECRET));
    dependencies.update_config(config("c2", "", ""));
    for (text, templating, problem) in [
        ("{{.Service.X}}", "golang", "config /etc/app.conf: template, line 1: there is no field"),
        ("{{secret \"other\"}}", "golang", "the task has none with the target \"other\""),
        ("x", "jinja", "\"jinja\", which this worker does not know"),
    ] {
        dependencies.update_config(config("c1", text, templating));
        let template = file(FileKind::Config, "c1", "/etc/app.conf");
        let error = dependencies.file("t1", &template).unwrap_err();
        assert!(!error.is_temporary());
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn credentials_are_those_of_the_task_and_are_waited_for() {
    let dependencies = SwarmDependencies::new();
    assert_eq!(dependencies.credentials("t1", "x").unwrap(), None);
    let registration = dependencies.register("t1", files(true));
    assert!(is_missing(&dependencies.credentials("t1", "x").unwrap_err()));
    // {"username":"user","password":"?secret>"} with either alphabet.
    for coded in [
        "eyJ1c2VybmFtZSI6InVzZXIiLCJwYXNzd29yZCI6Ij9zZWNyZXQ-In0=",
        "eyJ1c2VybmFtZSI6InVzZXIiLCJwYXNzd29yZCI6Ij9zZWNyZXQ+In0",
    ] {
        dependencies.update_task(&task(coded));
        let found = dependencies.credentials("t1", "x").unwrap().unwrap();
        assert_eq!(found.username.as_deref(), Some("user"));
        assert_eq!(found.password.as_deref(), Some("?secret>"));
        assert_eq!(dependencies.credentials("t2", "x").unwrap(), None);
    }
    for malformed in ["%", "aHVudGVyMg=="] {
        dependencies.update_task(&task(malformed));
        let error = dependencies.credentials("t1", "x").unwrap_err();
        assert!(!error.is_temporary());
        assert!(error.to_string().starts_with("pull_options.registry_auth"), "{error}");
    }
    drop(registration);
    dependencies.remove_task("t1");
    dependencies.remove_task("t1");
    assert_eq!(dependencies.credentials("t1", "x").unwrap(), None);
}

#[test]
fn a_complete_message_replaces_all_secrets_and_configs() {
    let dependencies = SwarmDependencies::new();
    dependencies.update_secret(secret("s1", SECRET));
    dependencies.update_task(&task("e30="));
    dependencies.replace([secret("s2", "other")], [config("c1", "x", "")]);
    assert!(is_missing(&dependencies.file("t1", &secret_file()).unwrap_err()));
    let other = file(FileKind::Secret, "s2", "other");
    assert_eq!(dependencies.file("t1", &other).unwrap(), b"other");
    let added = file(FileKind::Config, "c1", "c");
    assert_eq!(dependencies.file("t1", &added).unwrap(), b"x");
    assert!(dependencies.credentials("t1", "x").unwrap().is_some());
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let dependencies = SwarmDependencies::new();
    dependencies.update_secret(secret("s1", SECRET));
    dependencies.update_task(&task("eyJwYXNzd29yZCI6Imh1bnRlcjIifQ=="));
    let shown = format!("{dependencies:?} {dependencies:#?}");
    assert!(shown.contains("secrets: 1"), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains("104, 117"), "{shown}");
}
