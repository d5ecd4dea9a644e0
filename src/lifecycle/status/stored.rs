//! The JSON of a status for a store: it keeps everything.
//!
//! It is the Docker Engine API's JSON, except for the container. The API prints a zero for a
//! process id or an exit code that is not known, so an exit code of 0 cannot be told from an
//! unknown one. Here, a number that is not known is left out.
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

/// Prints a status. For `#[serde(with)]`.
///
/// # Errors
///
/// The time of the status has a year that RFC 3339 cannot have, or those of the serializer.
pub fn serialize<S: Serializer>(status: &TaskStatus, serializer: S) -> Result<S::Ok, S::Error> {
    let container = status.container_status.as_ref().map(|container| StoredContainer {
        container_id: (&*container.container_id).into(),
        pid: container.pid,
        exit_code: container.exit_code,
    });
    print(status, container, serializer)
}

/// Reads a status. For `#[serde(with)]`.
///
/// # Errors
///
/// What is read is no status, or the deserializer fails.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskStatus, D::Error> {
    read::<_, StoredContainer<'de>>(deserializer)
}

/// A status that is printed in this form.
#[derive(Serialize)]
pub(crate) struct StatusRef<'a>(
    #[serde(serialize_with = "by_reference")] pub(crate) &'a TaskStatus,
);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
fn by_reference<S: Serializer>(status: &&TaskStatus, serializer: S) -> Result<S::Ok, S::Error> {
    self::serialize(status, serializer)
}

/// A status that is read in this form.
#[derive(Deserialize)]
pub(crate) struct Status(#[serde(deserialize_with = "deserialize")] pub(crate) TaskStatus);

/// The same for a shared status that may be missing.
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
