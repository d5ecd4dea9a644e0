use std::time::Duration;

use serde::Deserialize;

use crate::values;

/// A duration as text.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Span(#[serde(with = "values::duration")] pub(super) Duration);
