//! Renews the certificate of a running worker.

use std::convert::Infallible;

use crate::credentials::Credentials;

/// Renews the certificate for as long as the worker runs: at a random time between 50 and 80 % of
/// its validity, and at once if a manager wants it. Asks the managers that were known last. Sessions
/// go on meanwhile.
///
/// # Cancel safety
///
/// If the future is dropped during a renewal, the worker keeps its old certificate.
pub async fn renew(credentials: Credentials) -> Infallible {
    todo!()
}
