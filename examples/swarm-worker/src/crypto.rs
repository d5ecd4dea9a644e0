//! The cryptography of TLS and of certificates.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// Returns what rustls calculates with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
