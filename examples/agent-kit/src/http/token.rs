use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq as _;

/// The shortest token, in characters.
const MIN_LENGTH: usize = 16;

/// The longest token, in characters. A header has room for it.
const MAX_LENGTH: usize = 1024;

/// Bits of a file's mode: the group may write, and others may read or write.
const TOO_OPEN: u32 = 0o026;

/// The secret that a client must have.
pub struct Token(String);

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("--http-token-file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// Other users can read or change the file.
    #[error(
        "--http-token-file {file}: other users can read or change the file; run: chmod 600 {file}",
        file = path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The content is not a token.
    #[error(
        "--http-token-file {}: this is not a token; write 16 to 1024 letters, digits or signs \
         without spaces, for example those of: openssl rand -hex 32",
        path.display()
    )]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the token in a file. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, if other users can read or change it, or if it has no
    /// token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let path = path.to_owned();
        let unreadable = |error| TokenError::Unreadable { path: path.clone(), error };
        let file = File::open(&path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.mode() & TOO_OPEN != 0 {
            return Err(TokenError::Open { path });
        }
        let mut bytes = Vec::new();
        file.take(2 * MAX_LENGTH as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        let text = String::from_utf8(bytes).unwrap_or_default();
        let token = text.trim();
        let is_token = token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token && (MIN_LENGTH..=MAX_LENGTH).contains(&token.len()) {
            return Ok(Self(token.to_owned()));
        }
        Err(TokenError::Invalid { path })
    }

    /// Whether a text is the token. The time that this takes does not depend on the characters of
    /// either.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(text).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    fn read(text: &str, mode: u32) -> Result<Token, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), text).unwrap();
        set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        Token::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_only_equal_to_itself_and_is_not_shown() {
        let token = read("0123456789abcdef\n", 0o600).unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in ["", "0123456789abcdeF", "0123456789abcdef\n", "0123456789abcde"] {
            assert!(!token.is(other.as_bytes()), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        for text in ["", "too short", "0123456789 abcdef", "ä0123456789abcdef", &"x".repeat(1025)]
        {
            let error = read(text, 0o600).unwrap_err();
            assert!(error.contains("openssl rand -hex 32"), "{error}");
        }
        let missing = Token::read(Path::new("/nowhere/token")).unwrap_err();
        assert!(missing.to_string().starts_with("--http-token-file /nowhere/token: No such file"));
    }

    #[test]
    fn a_file_that_other_users_can_read_is_refused() {
        for mode in [0o644, 0o604, 0o602, 0o620] {
            let error = read("0123456789abcdef", mode).unwrap_err();
            assert!(error.contains("run: chmod 600 "), "{mode:o}: {error}");
        }
        assert!(read("0123456789abcdef", 0o440).is_ok());
    }
}
