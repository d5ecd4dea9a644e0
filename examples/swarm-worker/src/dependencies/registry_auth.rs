//! Decodes the credentials of a registry, as `docker service create --with-registry-auth` sends them.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bollard::auth::DockerCredentials;

/// Decodes JSON in base64, with either alphabet. `None`: it is neither.
///
/// There is no error that has a part of it.
pub(super) fn decode(coded: &str) -> Option<DockerCredentials> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let json = [URL_SAFE, STANDARD]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(coded.trim()).ok())?;
    serde_json::from_slice(&json).ok()
}
