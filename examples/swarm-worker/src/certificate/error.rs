use time::OffsetDateTime;

use crate::text::seconds;

/// Why a certificate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The text is not PEM, for example because its end is missing.
    #[error("not a certificate in PEM: {0}")]
    Pem(String),
    /// There is no certificate.
    #[error("no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    None,
    /// There are far too many certificates.
    #[error("more than {most} certificates")]
    TooMany {
        /// The most that are read.
        most: usize,
    },
    /// The content is not a certificate.
    #[error("not an X.509 certificate: {0}")]
    Malformed(String),
    /// The certificate names no node or no swarm.
    #[error("the certificate does not name a node of a swarm: its subject has no {missing}")]
    NotOfNode {
        /// The missing part of the subject.
        missing: &'static str,
    },
    /// The certificate is not one of a worker.
    #[error("the certificate is that of a {role}, not of a swarm-worker")]
    NotOfWorker {
        /// The role in the certificate.
        role: String,
    },
    /// The certificate is for another key.
    #[error("the certificate is for another key")]
    OtherKey,
    /// Another swarm has issued the certificate.
    #[error("the certificate was not issued by this swarm: {0}")]
    OtherSwarm(String),
    /// The certificate becomes valid later.
    #[error(
        "the certificate is valid from {}, but the clock of this machine shows {}: set the clock",
        seconds(*not_before), seconds(*now)
    )]
    NotValidYet {
        /// When the certificate becomes valid.
        not_before: OffsetDateTime,
        /// The time of this machine.
        now: OffsetDateTime,
    },
    /// The certificate is not valid any more.
    #[error(
        "the certificate was valid until {}, and the clock of this machine shows {}: set the clock if \
         it is wrong",
        seconds(*not_after), seconds(*now)
    )]
    Expired {
        /// When the validity ended.
        not_after: OffsetDateTime,
        /// The time of this machine.
        now: OffsetDateTime,
    },
}
