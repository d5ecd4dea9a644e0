//! What is kept for each task.

use alloc::sync::Arc;
use core::hash::BuildHasherDefault;
use std::collections::HashMap;
use std::hash::DefaultHasher;

/// Values by the id of a task.
///
/// Its order says nothing, but is no chance: the same changes give the same order again, so that
/// a test can be run twice.
pub(super) type ById<V> = HashMap<Arc<str>, V, BuildHasherDefault<DefaultHasher>>;
