use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};

use super::TokenError;

/// The length of a digest in base 36.
const LENGTH: usize = 50;

/// The number of bytes of a SHA-256 digest.
const BYTES: usize = 32;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

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
            let Some(digit) = DIGITS.iter().position(|known| *known == character) else {
                return Err(TokenError::DigestCharacter { position: position + 1 });
            };
            // All bytes × 36 + the digit.
            let mut carry = digit;
            for byte in bytes.iter_mut().rev() {
                carry += usize::from(*byte) * DIGITS.len();
                *byte = (carry % 256) as u8;
                carry /= 256;
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
                let value = remainder * 256 + usize::from(*byte);
                *byte = (value / DIGITS.len()) as u8;
                remainder = value % DIGITS.len();
            }
            if let Some(digit) = DIGITS.get(remainder) {
                *place = *digit;
            }
        }
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for RootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
