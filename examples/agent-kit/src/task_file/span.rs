use std::time::Duration;

use serde::Deserialize;

use crate::values;

/// A duration that is written as text, such as `10s`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Span(#[serde(with = "values::duration")] pub(super) Duration);
