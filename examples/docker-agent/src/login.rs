//! `DockerLogin`: the credentials that `docker login` has stored.

use std::env;
use std::fs::File;
use std::path::PathBuf;

use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use onward::exec::ControllerError;

use crate::definition::ContainerFile;
use crate::dependencies::{Dependencies, NoDependencies};

/// The key of Docker Hub in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Gives the credentials that `docker login` has stored, by its credential helpers if there are any.
/// It gives no secrets and configs.
#[derive(Clone, Debug)]
pub struct DockerLogin {
    config: Option<PathBuf>,
}

impl DockerLogin {
    /// Reads the file of the docker command: `config.json` in `DOCKER_CONFIG`, or else in
    /// `~/.docker`.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let dir = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")));
        Self { config: dir.map(|dir| dir.join("config.json")) }
    }

    /// Reads this file.
    pub fn new(config: impl Into<PathBuf>) -> Self {
        Self { config: Some(config.into()) }
    }
}

impl Dependencies for DockerLogin {
    fn file(&self, task: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        NoDependencies.file(task, file)
    }

    fn credentials(
        &self,
        _: &str,
        image: &str,
    ) -> Result<Option<DockerCredentials>, ControllerError> {
        Ok(self.stored(registry(image)))
    }
}

impl DockerLogin {
    fn stored(&self, registry: &str) -> Option<DockerCredentials> {
        let path = self.config.as_ref()?;
        // Without the file, nobody has logged in.
        let file = File::open(path).ok()?;
        match get_credential_from_reader(file, registry) {
            Ok(found) => Some(with_address(found, registry)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => None,
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, registry, %error, "cannot get the credentials of a registry");
                None
            }
        }
    }
}

fn with_address(found: DockerCredential, registry: &str) -> DockerCredentials {
    let serveraddress = Some(registry.to_owned());
    let none = DockerCredentials { serveraddress, ..DockerCredentials::default() };
    match found {
        DockerCredential::UsernamePassword(username, password) => {
            DockerCredentials { username: Some(username), password: Some(password), ..none }
        }
        DockerCredential::IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), ..none }
        }
    }
}

/// Returns the key of an image's registry in the file: its host, if the first part of the image's
/// name is one.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => {
            if host == "docker.io" { DOCKER_HUB } else { host }
        }
        _ => DOCKER_HUB,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_first_part_of_the_image_if_that_is_a_host() {
        let cases = [
            ("alpine", DOCKER_HUB),
            ("library/alpine:3", DOCKER_HUB),
            ("docker.io/library/alpine", DOCKER_HUB),
            ("registry.example.com/web:1", "registry.example.com"),
            ("localhost/web", "localhost"),
            ("localhost:5000/web@sha256:00", "localhost:5000"),
        ];
        for (image, expected) in cases {
            assert_eq!(registry(image), expected, "{image}");
        }
    }

    #[test]
    fn the_credentials_are_those_of_the_registry() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let config = r#"{ "auths": { "one.example": { "auth": "dXNlcjpzZWNyZXQ=" } } }"#;
        std::fs::write(&path, config).unwrap();
        let login = DockerLogin::new(path);
        let found = login.credentials("web", "one.example/web").unwrap().unwrap();
        assert_eq!(found.username.as_deref(), Some("user"));
        assert_eq!(found.password.as_deref(), Some("secret"));
        assert!(login.credentials("web", "other.example/web").unwrap().is_none());
        let missing = DockerLogin::new(dir.path().join("missing.json"));
        assert!(missing.credentials("web", "one.example/web").unwrap().is_none());
    }
}
