#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::path::Path;

use agent_kit::{Definition as _, FileDefinition as _};

use super::*;

#[test]
fn the_keys_are_those_that_serde_knows() {
    let text = toml::from_str::<DockerDefinition>("image = 'x'\nxxx = 1").unwrap_err();
    let known = KEYS.map(|key| format!("`{key}`")).join(", ");
    assert!(text.to_string().contains(&known), "{text}");
}

#[test]
fn an_image_alone_gets_the_defaults() {
    let read: DockerDefinition = toml::from_str("image = 'alpine:3'").unwrap();
    assert_eq!(read, DockerDefinition::new("alpine:3"));
}

#[test]
fn every_option_survives_toml_and_json() {
    let read: DockerDefinition = toml::from_str(include_str!("every.toml")).unwrap();
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<DockerDefinition>(&json).unwrap(), read);
    let toml = toml::to_string(&read).unwrap();
    assert_eq!(toml::from_str::<DockerDefinition>(&toml).unwrap(), read);
}

#[test]
fn paths_of_the_host_are_relative_to_the_file() {
    let text = "image = 'x'\nenv_file = 'env'\n\
                mounts = [{ type = 'bind', source = 'data', target = '/data' }]";
    let mut read: DockerDefinition = toml::from_str(text).unwrap();
    read.resolve_paths(Path::new("/srv"));
    assert_eq!(read.env_file.as_deref(), Some(Path::new("/srv/env")));
    let Some(Mount::Bind(bind)) = read.mounts.first() else { unreachable!() };
    assert_eq!(bind.source, Path::new("/srv/data"));
}

#[test]
fn a_wrong_value_is_refused_with_what_would_be_right() {
    for (wrong, right) in [
        ("image = ''", "alpine:3"),
        ("image = '../containers'", "alpine:3"),
        ("image = 'a/../../containers'", "alpine:3"),
        ("image = 'a//b'", "alpine:3"),
        ("image = 'x'\npull = 'sometimes'", "always"),
        ("image = 'x'\ncontainer_name = 'a/b'", "letters, digits"),
        ("image = 'x'\nports = [{ target = 0 }]", "ports are 1 to 65535"),
        ("image = 'x'\nresources = { memory = 'much' }", "64MiB"),
        ("image = 'x'\nresources = { cpus = -1 }", "0.5"),
        ("image = 'x'\nmounts = [{ type = 'bind', target = '/x' }]", "source"),
        ("image = 'x'\nmounts = [{ type = 'disk', target = '/x' }]", "volume"),
        ("image = 'x'\nlabels = { 'dev.onward.task' = '1' }", "dev.onward."),
    ] {
        let refused = toml::from_str::<DockerDefinition>(wrong).map(|_| ());
        let refused = refused.expect_err(wrong).to_string();
        assert!(refused.contains(right), "{wrong}: {refused}");
    }
}

#[test]
fn a_definition_is_shown_in_the_words_of_the_engine() {
    let text = "image = 'x'\ninit = false\ntty = true\nhosts = ['far.example:192.0.2.7', 'six:2001:db8::1']";
    let shown = toml::from_str::<DockerDefinition>(text).unwrap().container_spec();
    let expected = serde_json::json!({
        "Image": "x", "DNSConfig": {}, "TTY": true, "Init": false, "Isolation": "default", "StopGracePeriod": 10_000_000_000_u64,
        "Hosts": ["192.0.2.7 far.example", "2001:db8::1 six"],
    });
    assert_eq!(shown, expected);
}
