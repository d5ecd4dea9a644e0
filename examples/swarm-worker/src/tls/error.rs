use rustls::{AlertDescription, CertificateError, Error};
use time::OffsetDateTime;

use crate::text::seconds;

/// Why there is no trust between the worker and a manager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Another authority has issued the manager's certificate.
    #[error(
        "its certificate was not issued by the swarm: it belongs to another swarm, or is not a manager"
    )]
    OtherSwarm,
    /// The certificate is not one of a manager.
    #[error("its certificate is not that of a manager")]
    NotManager,
    /// By this machine's clock, the manager's certificate is not valid yet.
    #[error(
        "its certificate is valid from {}, but the clock of this machine shows {}: set the clock",
        seconds(*not_before), seconds(*now)
    )]
    NotValidYet {
        /// When the certificate becomes valid.
        not_before: OffsetDateTime,
        /// The time of this machine.
        now: OffsetDateTime,
    },
    /// By this machine's clock, the manager's certificate is not valid any more.
    #[error(
        "its certificate was valid until {}, and the clock of this machine shows {}: set the clock if \
         it is wrong, or else renew the manager's certificate",
        seconds(*not_after), seconds(*now)
    )]
    Expired {
        /// When the validity ended.
        not_after: OffsetDateTime,
        /// The time of this machine.
        now: OffsetDateTime,
    },
    /// The manager does not accept the worker's certificate.
    #[error(
        "it refuses the certificate of this node ({0:?}): the certificate has expired by the clock of \
         the manager, or the manager belongs to another swarm"
    )]
    Refused(AlertDescription),
    /// The server speaks something else.
    #[error("it does not use TLS; a manager listens on port 2377 unless it was told otherwise")]
    NotTls,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

#[expect(clippy::wildcard_enum_match_arm, reason = "both enums can get further variants")]
impl From<&Error> for TlsError {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => error.into(),
            Error::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateRequired
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::AccessDenied
                | AlertDescription::UnknownCA),
            ) => Self::Refused(*alert),
            Error::InvalidMessage(_) => Self::NotTls,
            error => Self::Other(error.to_string()),
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "both enums can get further variants")]
impl From<&CertificateError> for TlsError {
    fn from(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotValidYetContext { time, not_before } => Self::NotValidYet {
                not_before: utc(not_before.as_secs()),
                now: utc(time.as_secs()),
            },
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { not_after: utc(not_after.as_secs()), now: utc(time.as_secs()) }
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::OtherSwarm,
            CertificateError::NotValidForNameContext { .. }
            | CertificateError::NotValidForName
            | CertificateError::InvalidPurpose
            | CertificateError::InvalidPurposeContext { .. } => Self::NotManager,
            error => Self::Other(error.to_string()),
        }
    }
}

fn utc(seconds: u64) -> OffsetDateTime {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
