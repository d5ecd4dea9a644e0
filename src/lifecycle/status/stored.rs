//! A JSON form of `TaskStatus` for stores, which keeps every value.
//!
//! It is the Docker Engine API's JSON, except for the container status. The API writes 0
//! for an unknown process id or exit code, so a reader cannot distinguish an exit code of
//! 0 from an unknown one. This form leaves unknown numbers out.
//!
//! Use it for a status in a file of your own:
//!
//! ```
//! use onward::lifecycle::{ContainerStatus, TaskState, TaskStatus, stored_status};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Entry {
//!     #[serde(with = "stored_status")]
//!     status: TaskStatus,
//! }
//!
//! let mut status = TaskStatus::new(TaskState::Shutdown);
//! let container_id = "web.1".into();
//! status.container_status = Some(ContainerStatus { container_id, pid: None, exit_code: Some(0) });
//! let json = serde_json::to_string(&Entry { status: status.clone() })?;
//! assert_eq!(serde_json::from_str::<Entry>(&json)?.status, status);
//! # Ok::<(), serde_json::Error>(())
//! ```

use super::wire::{print, read};
use super::{ContainerStatus, TaskStatus};
use alloc::borrow::Cow;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(rename = "ContainerStatus")]
struct StoredContainer<'a> {
    #[serde(rename = "ContainerID", default)]
    container_id: Cow<'a, str>,
    #[serde(rename = "PID", default, skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    #[serde(rename = "ExitCode", default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
}

impl From<StoredContainer<'_>> for ContainerStatus {
    fn from(StoredContainer { container_id, pid, exit_code }: StoredContainer<'_>) -> Self {
        Self { container_id: container_id.into_owned(), pid, exit_code }
    }
}

/// Serializes a status, for `#[serde(with)]`.
///
/// # Errors
///
/// Fails if the year of the timestamp cannot be written in RFC 3339, or if the serializer
/// fails.
pub fn serialize<S: Serializer>(status: &TaskStatus, serializer: S) -> Result<S::Ok, S::Error> {
    let container = status.container_status.as_ref().map(|container| StoredContainer {
        container_id: (&*container.container_id).into(),
        pid: container.pid,
        exit_code: container.exit_code,
    });
    print(status, container, serializer)
}

/// Deserializes a status, for `#[serde(with)]`.
///
/// # Errors
///
/// Fails if the input is not a status, or if the deserializer fails.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskStatus, D::Error> {
    read::<_, StoredContainer<'de>>(deserializer)
}

/// Serializes a status in this form.
#[derive(Serialize)]
pub(crate) struct StatusRef<'a>(
    #[serde(serialize_with = "by_reference")] pub(crate) &'a TaskStatus,
);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
fn by_reference<S: Serializer>(status: &&TaskStatus, serializer: S) -> Result<S::Ok, S::Error> {
    self::serialize(status, serializer)
}

/// Deserializes a status in this form.
#[derive(Deserialize)]
pub(crate) struct Status(#[serde(deserialize_with = "deserialize")] pub(crate) TaskStatus);

/// The same form for an optional shared status.
#[cfg(feature = "std")]
pub(crate) mod shared {
    use super::{Status, StatusRef};
    use crate::lifecycle::TaskStatus;
    use alloc::sync::Arc;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(crate) fn serialize<S: Serializer>(
        status: &Option<Arc<TaskStatus>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        status.as_deref().map(StatusRef).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<TaskStatus>>, D::Error> {
        let status = Option::<Status>::deserialize(deserializer)?;
        Ok(status.map(|Status(status)| Arc::new(status)))
    }
}
