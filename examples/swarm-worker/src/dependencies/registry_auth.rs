//! Decodes the credentials of a registry, as `docker service create --with-registry-auth` sends them.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bollard::auth::DockerCredentials;

/// The credentials of a task are malformed. The error has no part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pull_options.registry_auth: the credentials of the registry are not JSON in base64")]
pub(super) struct MalformedError;

/// Decodes JSON in base64, with either alphabet.
pub(super) fn decode(coded: &str) -> Result<DockerCredentials, MalformedError> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let json = [URL_SAFE, STANDARD]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(coded.trim()).ok());
    serde_json::from_slice(&json.ok_or(MalformedError)?).map_err(|_| MalformedError)
}
