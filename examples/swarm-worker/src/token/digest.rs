use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::TokenError;

/// The length of a digest in base 36.
const LENGTH: usize = 50;

/// The number of bytes of a SHA-256 digest.
const BYTES: usize = 32;

/// How many digits there are: 0-9 and a-z.
const BASE: u16 = 36;

/// The SHA-256 digest of a swarm's root certificates, as join tokens have it: a number of 50 digits
/// in base 36.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RootDigest([u8; BYTES]);

impl RootDigest {
    /// Returns the digest of root certificates in PEM, as a manager sent them.
    pub fn of(pem: &[u8]) -> Self {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(digest(&SHA256, pem).as_ref());
        Self(bytes)
    }
}

impl FromStr for RootDigest {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.len() != LENGTH {
            let found = text.chars().count();
            return Err(TokenError::DigestLength { found, expected: LENGTH });
        }
        let mut bytes = [0_u8; BYTES];
        for (position, character) in text.bytes().enumerate() {
            let digit = match character {
                b'0'..=b'9' => character - b'0',
                b'a'..=b'z' => character - b'a' + 10,
                _ => return Err(TokenError::DigestCharacter { position: position + 1 }),
            };
            // All bytes × 36 + the digit.
            let mut carry = digit;
            for byte in bytes.iter_mut().rev() {
                [carry, *byte] = (u16::from(*byte) * BASE + u16::from(carry)).to_be_bytes();
            }
            if carry > 0 {
                return Err(TokenError::DigestTooLarge);
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for RootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut text = vec![b'0'; LENGTH];
        for place in text.iter_mut().rev() {
            // All bytes ÷ 36; the remainder is the digit.
            let mut remainder = 0;
            for byte in &mut rest {
                let value = u16::from_be_bytes([remainder, *byte]);
                // Less than 256, since the remainder is less than 36.
                [_, *byte] = (value / BASE).to_be_bytes();
                [_, remainder] = (value % BASE).to_be_bytes();
            }
            *place = if remainder < 10 { b'0' + remainder } else { b'a' + remainder - 10 };
        }
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for RootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
