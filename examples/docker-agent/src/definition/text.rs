//! How values of a definition are read, and how a definition is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value, json};

use super::DockerDefinition;
use crate::labels;
use crate::name;

/// Whether this can be an image, and can be a part of a request's path. The engine checks the rest.
///
/// The engine's grammar has these characters and no others. Each part of a name begins with a letter or
/// a digit, and a registry may be an IPv6 address. So `..` is no part.
pub(crate) fn is_image(image: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+[]".contains(&byte);
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    image.split('/').all(begins) && image.bytes().all(is_known)
}

pub(super) fn image<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let image = String::deserialize(deserializer)?;
    if is_image(&image) {
        return Ok(image);
    }
    Err(D::Error::custom(format!(
        "{image:?} is no image; give a name and a tag, as in \"alpine:3\""
    )))
}

pub(super) fn some_container_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if name::is_container_name(&name) {
        return Ok(Some(name));
    }
    Err(D::Error::custom(format!(
        "{name:?} cannot be a container's name; use letters, digits, '_', '.' and '-', beginning \
         with a letter or a digit, at least 2 and at most {} of them",
        name::MAX_LEN
    )))
}

/// Labels, without the agent's own.
pub(super) fn labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let labels = BTreeMap::<String, String>::deserialize(deserializer)?;
    match some_label_of_agent(&labels) {
        Some(told) => Err(D::Error::custom(told)),
        None => Ok(labels),
    }
}

/// The error that a label is one of the agent's own, if there is such a label.
pub(crate) fn some_label_of_agent(labels: &BTreeMap<String, String>) -> Option<String> {
    let key = labels.keys().find(|key| key.starts_with(labels::PREFIX))?;
    Some(format!(
        "the label {key:?} is the agent's own, since it begins with {:?}; use another name",
        labels::PREFIX
    ))
}

/// Durations that may be absent, as text like `10s`.
pub(super) mod some_duration {
    use std::time::Duration;

    use agent_kit::values::duration;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Text(#[serde(with = "duration")] Duration);

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(in crate::definition) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(Text).serialize(serializer)
    }

    pub(in crate::definition) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}

/// Sizes that may be absent, as a number of bytes or as text like `64MiB`. Written as a number,
/// since the text form rounds.
pub(super) mod some_size {
    use std::fmt;

    use bytesize::ByteSize;
    use serde::de::{self, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    struct Bytes(i64);

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(in crate::definition) fn serialize<S: Serializer>(
        bytes: &Option<i64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.serialize(serializer)
    }

    pub(in crate::definition) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(BytesVisitor)
        }
    }

    struct BytesVisitor;

    impl Visitor<'_> for BytesVisitor {
        type Value = Bytes;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a number of bytes or a size such as \"64MiB\"")
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Bytes, E> {
            Ok(Bytes(bytes))
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Bytes, E> {
            match i64::try_from(bytes) {
                Ok(bytes) => Ok(Bytes(bytes)),
                Err(_) => Err(E::custom(format!(
                    "{bytes} bytes are too many; write 64MiB or less than 8EiB"
                ))),
            }
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
            match text.parse::<ByteSize>() {
                Ok(size) => self.visit_u64(size.as_u64()),
                Err(error) => Err(E::custom(format!(
                    "{text:?} is no size ({error}); write it like \"64MiB\" or as a number of bytes"
                ))),
            }
        }
    }
}

/// The definition as the Engine API's `ContainerSpec`. Options that are not set are left out.
pub(crate) fn container_spec(definition: &DockerDefinition) -> Value {
    let DockerDefinition { image, command, args, env, dir, user, hostname, labels, .. } =
        definition;
    let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let grace = u64::try_from(definition.stop_grace.as_nanos()).unwrap_or(u64::MAX);
    let dns = &definition.dns;
    let host = |host: &String| match host.split_once(':') {
        Some((name, address)) => format!("{address} {name}"),
        None => host.clone(),
    };
    let hosts: Vec<_> = definition.hosts.iter().map(host).collect();
    let if_set = |option: bool| option.then_some(true);
    let all = json!({
        "Image": image,
        "Labels": labels,
        "Command": command,
        "Args": args,
        "Hostname": hostname,
        "Env": env,
        "Dir": dir,
        "User": user,
        "Groups": definition.groups,
        "TTY": if_set(definition.tty),
        "OpenStdin": if_set(definition.open_stdin),
        "ReadOnly": if_set(definition.read_only),
        "StopSignal": definition.stop_signal,
        "StopGracePeriod": grace,
        "Hosts": hosts,
        "DNSConfig": {
            "Nameservers": dns.servers,
            "Search": dns.search,
            "Options": dns.options,
        },
        "Init": definition.init,
        "Sysctls": definition.sysctls,
        "CapabilityAdd": definition.capability_add,
        "CapabilityDrop": definition.capability_drop,
        "Isolation": definition.isolation,
    });
    without_empty(all)
}

/// Without members that are null or empty. A member that becomes empty stays: the API
/// prints an empty `DNSConfig` too.
fn without_empty(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    let kept = members.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(kept.map(|(name, value)| (name, without_empty(value))).collect::<Map<_, _>>())
}
