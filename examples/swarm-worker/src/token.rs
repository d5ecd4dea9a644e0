//! Join tokens.

mod digest;
mod error;

use std::fmt;
use std::str::FromStr;

pub use digest::RootDigest;
pub use error::TokenError;

/// The first part of each token.
const PREFIX: &str = "SWMTKN";

/// The length of the last part of a token, which is the secret.
const SECRET_LENGTH: usize = 25;

/// A join token: the permission to join a swarm, and the digest of the root certificate that its
/// managers must have.
///
/// Its two forms are `SWMTKN-1-DIGEST-SECRET` and `SWMTKN-2-FIPS-DIGEST-SECRET`. `FIPS` is `1` if
/// the swarm requires certified cryptography. The digest has 50 and the secret 25 characters, in
/// base 36. `Debug` does not print the secret.
#[derive(Clone)]
pub struct JoinToken {
    text: String,
    digest: RootDigest,
}

impl JoinToken {
    /// Returns the digest of the swarm's root certificates.
    pub fn digest(&self) -> &RootDigest {
        &self.digest
    }

    /// Returns the token with its secret, as a manager wants it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns a text without the secret, for example the words of a manager that repeats it.
    pub(crate) fn redact(&self, text: &str) -> String {
        match self.text.rsplit_once('-') {
            Some((_, secret)) => text.replace(secret, "[secret]"),
            None => text.to_owned(),
        }
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    /// Parses a token. White space around it is ignored.
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        let parts: Vec<&str> = text.split('-').collect();
        let (digest, secret) = match parts.as_slice() {
            [PREFIX, "1", digest, secret] | [PREFIX, "2", "0", digest, secret] => (digest, secret),
            [PREFIX, "2", "1", _, _] => return Err(TokenError::Fips),
            [PREFIX, "2", _, _, _] => return Err(TokenError::FipsFlag),
            [PREFIX, version @ ("1" | "2"), ..] => {
                let expected = if *version == "1" { 4 } else { 5 };
                return Err(TokenError::Parts { found: parts.len(), expected });
            }
            [PREFIX, _, ..] => return Err(TokenError::Version),
            _ => return Err(TokenError::Prefix),
        };
        let digest = digest.parse()?;
        if secret.len() != SECRET_LENGTH {
            return Err(TokenError::SecretLength {
                found: secret.chars().count(),
                expected: SECRET_LENGTH,
            });
        }
        if !secret.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()) {
            return Err(TokenError::SecretCharacter);
        }
        Ok(Self { text: text.to_owned(), digest })
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("digest", &self.digest).finish_non_exhaustive()
    }
}
