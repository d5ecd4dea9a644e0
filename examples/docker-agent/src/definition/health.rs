use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::text::some_duration;

/// What is right instead of a test that the engine would ignore.
pub(crate) const TEST_FORM: &str =
    r#"the list begins with NONE, CMD or CMD-SHELL, as in ["CMD", "curl", "-f", "url"]"#;

/// How the engine finds out whether a container is healthy.
///
/// A task with a health check is RUNNING when the container is healthy. A container that becomes
/// unhealthy is stopped, and the task has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `["CMD", program, argument…]`, `["CMD-SHELL", line]`, or `["NONE"]` for no check, not even
    /// the image's. Empty: the image's command, with the settings below.
    #[serde(default, deserialize_with = "test")]
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

fn test<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let test = Vec::deserialize(from)?;
    if test.is_empty() || is_test(&test) { Ok(test) } else { Err(de::Error::custom(TEST_FORM)) }
}

/// Whether the engine knows this kind of test. It ignores all others.
pub(crate) fn is_test(test: &[String]) -> bool {
    matches!(test.first().map(String::as_str), Some("NONE" | "CMD" | "CMD-SHELL"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn a_test_that_the_engine_would_ignore_is_refused() {
        for right in ["[]", "['NONE']", "['CMD', 'true']", "['CMD-SHELL', 'true']"] {
            toml::from_str::<HealthCheck>(&format!("test = {right}")).unwrap();
        }
        for wrong in ["['true']", "['cmd', 'true']", "['']"] {
            let refused = toml::from_str::<HealthCheck>(&format!("test = {wrong}")).unwrap_err();
            assert!(refused.message().contains(TEST_FORM), "{refused}");
        }
    }
}
