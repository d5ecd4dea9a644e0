//! Maps by the id of a task.

use alloc::sync::Arc;
use core::hash::BuildHasherDefault;
use std::collections::HashMap;
use std::hash::DefaultHasher;

/// A map by the id of a task. Its iteration order is arbitrary, but it is the same after the same
/// changes, so that tests are reproducible.
pub(super) type ById<V> = HashMap<Arc<str>, V, BuildHasherDefault<DefaultHasher>>;
