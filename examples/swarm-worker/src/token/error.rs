/// Why a text is not a join token. No message contains a part of the text, because a mistyped token
/// still has most of its secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no text.
    #[error("the join token is empty; `docker swarm join-token worker` prints one on a manager")]
    Empty,
    /// The text starts with something else.
    #[error("a join token starts with SWMTKN-1- or SWMTKN-2-; this one does not")]
    Prefix,
    /// The second part is another version.
    #[error("a join token has the version 1 or 2 after SWMTKN-; this one has another version")]
    Version,
    /// A part is missing, or there are too many.
    #[error(
        "the join token has {found} parts between its hyphens, not {expected}; it was not copied completely, or has text after its end"
    )]
    Parts {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The swarm requires certified cryptography.
    #[error(
        "the join token is for a swarm that requires FIPS mode, which this worker does not have"
    )]
    Fips,
    /// The part of version 2 that is neither 0 nor 1.
    #[error("the part after SWMTKN-2- in the join token must be 0 or 1")]
    FipsFlag,
    /// The digest has the wrong length.
    #[error(
        "the digest in the join token, its second to last part, has {found} characters, not {expected}; it was not copied completely"
    )]
    DigestLength {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The digest has a character that is no digit in base 36.
    #[error("character {position} of the digest in the join token is not one of 0-9 and a-z")]
    DigestCharacter {
        /// The position in the digest, from 1.
        position: usize,
    },
    /// The digest has more than 256 bits.
    #[error("the digest in the join token is larger than any SHA-256 digest")]
    DigestTooLarge,
    /// The secret has the wrong length.
    #[error(
        "the secret of the join token, its last part, has {found} characters, not {expected}; it was not copied completely, or has text after its end"
    )]
    SecretLength {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The secret has a character that is no digit in base 36.
    #[error("the secret of the join token has a character that is not one of 0-9 and a-z")]
    SecretCharacter,
}
