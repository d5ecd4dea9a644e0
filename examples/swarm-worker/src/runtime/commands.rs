//! `Commands`: the processes that services may run on this worker.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use agent_kit::FileDefinition as _;
use docker_agent::definition::{DockerDefinition, KEYS};
use process_agent::definition::{ProcessDefinition, PublishedPort};
use serde::{Deserialize, Serialize as _};

/// The list of allowed commands: which process the image of a service stands for.
///
/// It is read from a TOML file. Each table has the keys of a process task, and two of its own:
///
/// ```toml
/// [commands.web]                       # docker service create web
/// command = ["/usr/bin/web", "--port", "80"]
/// dir = "/srv/web"
/// allow_args = true                    # the service's arguments follow those of the command
/// allow_env = ["COLOR"]                # variables that the service may set
/// ```
///
/// A service may set its stop signal and its stop grace, and publish ports in host mode under the
/// number on which the process listens. Its process gets the generic resources that it was assigned,
/// such as `DOCKER_RESOURCE_GPU`. Every other option of a service is refused by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commands(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    process: ProcessDefinition,
    allow_args: bool,
    allow_env: Vec<String>,
}

/// The file, without the keys of processes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    commands: BTreeMap<String, toml::Table>,
}

/// The keys of an entry that a process task does not have.
#[derive(Deserialize)]
struct Allowed {
    #[serde(default)]
    allow_args: bool,
    #[serde(default)]
    allow_env: Vec<String>,
}

const OWN_KEYS: [&str; 2] = ["allow_args", "allow_env"];

/// The keys of a container that a process has too, or that make no difference to it.
const KNOWN_KEYS: [&str; 10] = [
    "image",
    "container_name",
    "labels",
    "log_driver",
    "args",
    "env",
    "ports",
    "stop_signal",
    "stop_grace",
    "networks",
];

/// The error of a file of allowed commands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct CommandsError {
    path: PathBuf,
    problem: String,
}

impl Commands {
    /// Reads the file. It blocks. Relative paths are relative to the file's directory.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is malformed. The error names the place and the right form.
    pub fn read(path: &Path) -> Result<Self, CommandsError> {
        let fail = |problem: String| CommandsError { path: path.to_owned(), problem };
        let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let base = path.parent().unwrap_or(path);
        let mut commands = BTreeMap::new();
        for (name, table) in file.commands {
            let entry = entry(table, base)
                .map_err(|error| fail(format!("commands.{name}: {}", error.message())))?;
            commands.insert(name, entry);
        }
        Ok(Self(commands))
    }

    /// The entry that an image names. `docker service create` adds the tag `latest` to a name without
    /// a tag, and a digest if a registry has an image of that name.
    fn entry(&self, image: &str) -> Option<&Entry> {
        let image = image.split_once('@').map_or(image, |(name, _)| name);
        self.0.get(image).or_else(|| self.0.get(image.strip_suffix(":latest")?))
    }

    /// The process of a service.
    ///
    /// # Errors
    ///
    /// The image names no entry, or the service has an option that is not allowed.
    pub(super) fn process(&self, service: &DockerDefinition) -> Result<ProcessDefinition, String> {
        let DockerDefinition { image, args, env, ports, .. } = service;
        let entry = self.entry(image).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            format!(
                "image: {image:?} is none of this worker's commands, which are {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )
        })?;
        if let Some(option) = unsupported(service)? {
            return Err(format!("{option}: a process has no such option; leave it out"));
        }
        let mut process = entry.process.clone();
        if !args.is_empty() && !entry.allow_args {
            return Err(format!("args: the command {image:?} of this worker allows none"));
        }
        process.command.extend(args.iter().cloned());
        for (name, value) in env {
            if !entry.allow_env.contains(name) {
                return Err(format!(
                    "env: the command {image:?} of this worker does not allow {name}"
                ));
            }
            process.env.insert(name.clone(), value.clone());
        }
        for (kind, values) in &service.resources.generic {
            let name = format!("DOCKER_RESOURCE_{}", kind.to_uppercase());
            process.env.insert(name, values.join(","));
        }
        if let Some(signal) = &service.stop_signal {
            process.stop_signal =
                signal.parse().map_err(|error| format!("stop_signal: {error}"))?;
        }
        process.stop_grace = service.stop_grace;
        for port in ports {
            process.ports.push(published(port)?);
        }
        Ok(process)
    }
}

fn entry(mut table: toml::Table, base: &Path) -> Result<Entry, toml::de::Error> {
    let mut own = toml::Table::new();
    for key in OWN_KEYS {
        own.extend(table.remove_entry(key));
    }
    let Allowed { allow_args, allow_env } = own.try_into()?;
    let mut process: ProcessDefinition = table.try_into()?;
    process.resolve_paths(base);
    Ok(Entry { process, allow_args, allow_env })
}

/// An option of the service that a process does not have, if there is one.
fn unsupported(service: &DockerDefinition) -> Result<Option<&'static str>, String> {
    if service.networks.iter().any(|network| network.name != "host") {
        return Ok(Some("networks"));
    }
    let mut compared = service.clone();
    compared.resources.generic.clear();
    // `docker service create` always sets it.
    compared.init = compared.init.filter(|init| *init);
    let json = |definition: &DockerDefinition| {
        definition.serialize(serde_json::value::Serializer).map_err(|error| error.to_string())
    };
    let (found, default) = (json(&compared)?, json(&DockerDefinition::new(&*service.image))?);
    let differs = |key: &&&str| found.get(**key) != default.get(**key);
    let mut others = KEYS.iter().filter(|key| !KNOWN_KEYS.contains(key));
    Ok(others.find(|key| differs(key)).copied())
}

/// A process listens on its host.
fn published(port: &docker_agent::definition::Port) -> Result<PublishedPort, String> {
    let published = port.published.unwrap_or(port.target);
    if published != port.target {
        return Err(format!(
            "ports: a process on the port {} cannot be published as {published}; use one number",
            port.target
        ));
    }
    let (name, protocol, target) = (port.name.clone(), port.protocol, port.target);
    Ok(PublishedPort { name, protocol, target, published })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::time::Duration;

    use docker_agent::definition::{ContainerFile, FileKind, Network, Port};

    use super::*;

    fn read(text: &str) -> Result<Commands, CommandsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("commands.toml");
        fs::write(&path, text).unwrap();
        Commands::read(&path)
    }

    fn commands() -> Commands {
        read(
            "[commands.web]\ncommand = ['web']\nenv = { A = '1' }\nallow_args = true\n\
              allow_env = ['COLOR']\n[commands.job]\ncommand = ['/bin/job', 'x']",
        )
        .unwrap()
    }

    #[test]
    fn a_service_runs_the_command_of_its_image_with_what_is_allowed() {
        let mut service = DockerDefinition::new("web").with_args(["--port", "80"]);
        service.env.insert("COLOR".to_owned(), "red".to_owned());
        service.resources.generic.insert("gpu".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        service.stop_signal = Some("SIGUSR1".to_owned());
        service.stop_grace = Duration::from_secs(3);
        service.ports = vec![Port::new(80.try_into().unwrap())];
        service.networks = vec![Network::new("host")];
        service.init = Some(false);
        let process = commands().process(&service).unwrap();
        assert_eq!(process.command, ["web", "--port", "80"]);
        let env: Vec<_> =
            process.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=1", "COLOR=red", "DOCKER_RESOURCE_GPU=a,b"]);
        assert_eq!(process.stop_signal.to_string(), "USR1");
        assert_eq!(process.stop_grace, Duration::from_secs(3));
        assert_eq!(process.ports.first().unwrap().published.get(), 80);
    }

    #[test]
    fn an_image_with_the_tag_and_the_digest_that_the_client_adds_names_a_command() {
        for image in ["job", "job:latest", "job@sha256:1", "job:latest@sha256:1"] {
            let process = commands().process(&DockerDefinition::new(image)).unwrap();
            assert_eq!(process.command, ["/bin/job", "x"], "{image}");
        }
        for image in ["job:1", "registry/job:latest", ":latest", ""] {
            let refused = commands().process(&DockerDefinition::new(image)).unwrap_err();
            assert!(refused.contains("none of this worker's commands"), "{refused}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_by_name() {
        let refused = |change: &dyn Fn(&mut DockerDefinition)| {
            let mut service = DockerDefinition::new("job");
            change(&mut service);
            commands().process(&service).unwrap_err()
        };
        let secret = ContainerFile {
            kind: FileKind::Secret,
            source: "s".to_owned(),
            target: "s".to_owned(),
            uid: 0,
            gid: 0,
            mode: 0,
        };
        let port = Port { published: 81.try_into().ok(), ..Port::new(80.try_into().unwrap()) };
        for (refused, problem) in [
            (
                refused(&|service| service.image = "sh".to_owned()),
                "\"sh\" is none of this worker's commands, which are job, web",
            ),
            (refused(&|service| service.args = vec!["y".to_owned()]), "args: the command \"job\""),
            (
                refused(&|service| _ = service.env.insert("LD_PRELOAD".to_owned(), "x".to_owned())),
                "does not allow LD_PRELOAD",
            ),
            (
                refused(&|service| service.command = vec!["sh".to_owned()]),
                "command: a process has no",
            ),
            (refused(&|service| service.user = Some("root".to_owned())), "user: a process has no"),
            (refused(&|service| service.init = Some(true)), "init: a process has no"),
            (refused(&|service| service.files = vec![secret.clone()]), "files: a process has no"),
            (refused(&|service| service.resources.memory = Some(1)), "resources: a process has no"),
            (
                refused(&|service| service.networks = vec![Network::new("bridge")]),
                "networks: a process has no",
            ),
            (refused(&|service| service.ports = vec![port.clone()]), "cannot be published as 81"),
            (
                refused(&|service| service.stop_signal = Some("STOP".to_owned())),
                "stop_signal: \"STOP\"",
            ),
        ] {
            assert!(refused.contains(problem), "{refused}");
        }
        assert!(
            Commands::default().process(&DockerDefinition::new("x")).unwrap_err().ends_with("none")
        );
    }

    #[test]
    fn a_wrong_file_is_refused_with_what_is_wrong() {
        for (text, problem) in [
            ("[command.web]\ncommand = ['x']", "unknown field `command`, expected `commands`"),
            ("[commands.web]\nimage = 'x'", "commands.web: "),
            ("[commands.web]\ncommand = []", "commands.web: the command is empty"),
            ("[commands.web]\ncommand = ['x']\nallow_args = 1", "commands.web: "),
            ("[commands.web", "line 1"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("commands.toml: ") && error.contains(problem), "{error}");
        }
        let missing = Commands::read(Path::new("/nonexistent/commands.toml")).unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
    }
}
