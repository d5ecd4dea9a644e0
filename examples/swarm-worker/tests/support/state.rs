//! State directories.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::{Builder, TempDir};

/// A directory for a state, which only its owner can open.
pub(crate) fn state() -> TempDir {
    Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}
