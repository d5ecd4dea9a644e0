//! The JSON form of `TaskStatus`: that of the Docker Engine API.
//!
//! The private structs mirror the public ones with the API's names and defaults: one set
//! to serialize, one to deserialize. They are read through [`object`], because serde's
//! derive would accept an array for a struct, which the API never writes.
//!
//! The API is written in Go and writes a zero for an unknown value. Only this file
//! converts these zeros. The public types have `None`.

use super::{ContainerStatus, PortConfig, PortStatus, Protocol, PublishMode, TaskStatus};
use crate::lifecycle::TaskState;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU16;
use core::str::FromStr;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, Time, UtcDateTime};

/// The text that Go writes for a time that was never set.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

impl Serialize for TaskState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TaskState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer, "the name of a task state in lower case, for example \"running\"")
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer, "the name of a protocol, for example \"tcp\"")
    }
}

impl Serialize for PublishMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PublishMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer, "the name of a publish mode, for example \"ingress\"")
    }
}

impl Serialize for TaskStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        print(self, self.container_status.as_ref(), serializer)
    }
}

/// Serializes a status, with its container status in the given form.
pub(super) fn print<S: Serializer>(
    status: &TaskStatus,
    container_status: Option<impl Serialize>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let is_known = status.container_status.as_ref().is_some_and(|c| !c.is_empty());
    let fields = PrintedStatus {
        timestamp: print_time::<S>(status.timestamp)?,
        state: status.state,
        message: &status.message,
        err: status.err.as_deref().unwrap_or_default(),
        container_status: container_status.filter(|_| is_known),
        port_status: &status.port_status,
    };
    fields.serialize(serializer)
}

impl Serialize for ContainerStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { container_id, pid, exit_code } = self;
        let (pid, exit_code) = (pid.unwrap_or(0), exit_code.unwrap_or(0));
        PrintedContainer { container_id, pid, exit_code }.serialize(serializer)
    }
}

impl Serialize for PortStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PrintedPorts { ports: &self.ports }.serialize(serializer)
    }
}

impl Serialize for PortConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = PrintedPort {
            name: &self.name,
            protocol: self.protocol,
            target_port: NonZeroU16::new(self.target_port),
            published_port: NonZeroU16::new(self.published_port),
            publish_mode: self.publish_mode,
        };
        fields.serialize(serializer)
    }
}

#[derive(serde::Serialize)]
#[serde(rename = "TaskStatus", rename_all = "PascalCase")]
struct PrintedStatus<'a, C> {
    timestamp: Cow<'static, str>,
    state: TaskState,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    err: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_status: Option<C>,
    port_status: &'a PortStatus,
}

#[derive(serde::Serialize)]
#[serde(rename = "ContainerStatus")]
struct PrintedContainer<'a> {
    #[serde(rename = "ContainerID")]
    container_id: &'a str,
    #[serde(rename = "PID")]
    pid: i32,
    #[serde(rename = "ExitCode")]
    exit_code: i32,
}

#[derive(serde::Serialize)]
#[serde(rename = "PortStatus", rename_all = "PascalCase")]
struct PrintedPorts<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ports: &'a [PortConfig],
}

#[derive(serde::Serialize)]
#[serde(rename = "PortConfig", rename_all = "PascalCase")]
struct PrintedPort<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    protocol: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_port: Option<NonZeroU16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_port: Option<NonZeroU16>,
    publish_mode: PublishMode,
}

fn print_time<S: Serializer>(time: Option<UtcDateTime>) -> Result<Cow<'static, str>, S::Error> {
    match time {
        None => Ok(NO_TIME.into()),
        Some(time) => time.format(&Rfc3339).map(Cow::Owned).map_err(S::Error::custom),
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusFields<C> {
    #[serde(default, deserialize_with = "read_time")]
    timestamp: Option<UtcDateTime>,
    state: TaskState,
    #[serde(default)]
    message: String,
    #[serde(default)]
    err: String,
    #[serde(default = "Option::default")]
    container_status: Option<C>,
    #[serde(default)]
    port_status: Option<PortStatus>,
}

#[derive(serde::Deserialize)]
struct ContainerFields {
    #[serde(default, rename = "ContainerID")]
    container_id: String,
    #[serde(default, rename = "PID")]
    pid: i32,
    #[serde(default, rename = "ExitCode")]
    exit_code: i32,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortsFields {
    #[serde(default)]
    ports: Option<Vec<PortConfig>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortFields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default, deserialize_with = "read_port")]
    target_port: u16,
    #[serde(default, deserialize_with = "read_port")]
    published_port: u16,
    #[serde(default)]
    publish_mode: PublishMode,
}

impl<'de> Deserialize<'de> for TaskStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut status = read::<_, ContainerStatus>(deserializer)?;
        if let (TaskState::Complete, Some(container)) = (status.state, &mut status.container_status)
        {
            // The task is COMPLETE, so its workload exited with 0.
            container.exit_code.get_or_insert(0);
        }
        Ok(status)
    }
}

/// Deserializes a status whose container status has the form `C`.
pub(super) fn read<'de, D, C>(deserializer: D) -> Result<TaskStatus, D::Error>
where
    D: Deserializer<'de>,
    C: Deserialize<'de> + Into<ContainerStatus>,
{
    let fields: StatusFields<C> = object(deserializer, "a task status as a JSON object")?;
    Ok(TaskStatus {
        timestamp: fields.timestamp,
        state: fields.state,
        message: fields.message.into(),
        err: Some(fields.err).filter(|err| !err.is_empty()).map(Cow::Owned),
        container_status: fields.container_status.map(C::into).filter(|c| !c.is_empty()),
        port_status: fields.port_status.unwrap_or_default(),
    })
}

impl<'de> Deserialize<'de> for ContainerStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ContainerFields { container_id, pid, exit_code } =
            object(deserializer, "a container status as a JSON object")?;
        let known = |number: i32| Some(number).filter(|number| *number != 0);
        Ok(Self { container_id, pid: known(pid), exit_code: known(exit_code) })
    }
}

impl<'de> Deserialize<'de> for PortStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PortsFields { ports } = object(deserializer, "a port status as a JSON object")?;
        Ok(Self { ports: ports.unwrap_or_default() })
    }
}

impl<'de> Deserialize<'de> for PortConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PortFields { name, protocol, target_port, published_port, publish_mode } =
            object(deserializer, "a published port as a JSON object")?;
        Ok(Self { name, protocol, target_port, published_port, publish_mode })
    }
}

/// Deserializes a value from its name. A number is refused.
fn named<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct NameVisitor<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for NameVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
            name.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(NameVisitor(expected, PhantomData))
}

/// Deserializes an object. Any other input is refused with a message that contains
/// `expected`.
fn object<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct ObjectVisitor<T>(&'static str, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(ObjectVisitor(expected, PhantomData))
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcDateTime>, D::Error> {
    struct TimeVisitor;

    impl Visitor<'_> for TimeVisitor {
        type Value = Option<UtcDateTime>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time in RFC 3339, for example \"2026-01-02T03:04:05.000000006Z\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let refused = |why: &str| E::custom(format!("invalid time `{text}`: {why}"));
            // The crate `time` accepts any character between date and time of day.
            let time = OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .filter(|_| matches!(text.as_bytes().get(10), Some(b'T' | b't')))
                .ok_or_else(|| {
                    refused("expected RFC 3339, for example `2026-01-02T03:04:05.000000006Z`")
                })?
                .checked_to_utc()
                // A year outside this range could not be serialized again.
                .filter(|time| (0..=9999).contains(&time.year()))
                .ok_or_else(|| refused("expected a year from 0000 to 9999 in UTC"))?;
            // Go's zero time and the Unix epoch both mean that no time was set.
            let new_year = time.ordinal() == 1 && time.time() == Time::MIDNIGHT;
            Ok((!new_year || !matches!(time.year(), 1 | 1970)).then_some(time))
        }
    }

    deserializer.deserialize_str(TimeVisitor)
}

fn read_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    struct PortVisitor;

    impl Visitor<'_> for PortVisitor {
        type Value = u16;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a port from 0 to 65535")
        }

        fn visit_u64<E: de::Error>(self, port: u64) -> Result<u16, E> {
            port.try_into().map_err(|_| E::invalid_value(Unexpected::Unsigned(port), &self))
        }

        fn visit_i64<E: de::Error>(self, port: i64) -> Result<u16, E> {
            port.try_into().map_err(|_| E::invalid_value(Unexpected::Signed(port), &self))
        }
    }

    deserializer.deserialize_u16(PortVisitor)
}
