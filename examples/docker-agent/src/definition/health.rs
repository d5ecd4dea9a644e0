use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text::some_duration;

/// How the engine finds out whether a container is healthy.
///
/// A task with a health check is RUNNING when the container is healthy. A container that becomes
/// unhealthy is stopped, and the task has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `["CMD", program, argument…]`, `["CMD-SHELL", line]`, or `["NONE"]` for no check, not even
    /// the image's. Empty: the image's command, with the settings below.
    #[serde(default)]
    pub test: Vec<String>,
    /// The time between two checks. Default: the image's, or 30 s.
    #[serde(default, with = "some_duration")]
    pub interval: Option<Duration>,
    /// The time after which a check has failed. Default: the image's, or 30 s.
    #[serde(default, with = "some_duration")]
    pub timeout: Option<Duration>,
    /// The number of failed checks in a row after which the container is unhealthy. Default: the
    /// image's, or 3.
    #[serde(default)]
    pub retries: Option<u32>,
    /// The time after the start in which failed checks do not count. Default: the image's, or
    /// none.
    #[serde(default, with = "some_duration")]
    pub start_period: Option<Duration>,
    /// The time between two checks in the start period. Default: the image's, or 5 s. Needs an
    /// engine of version 25.
    #[serde(default, with = "some_duration")]
    pub start_interval: Option<Duration>,
}
