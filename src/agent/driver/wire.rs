//! Times and durations of a snapshot as JSON: RFC 3339, and whole milliseconds.

/// A time of day.
pub(super) mod time_of_day {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use time::format_description::well_known::Rfc3339;
    use time::{OffsetDateTime, UtcDateTime};

    pub(in crate::agent::driver) fn serialize<S: Serializer>(
        time: &UtcDateTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = time.format(&Rfc3339).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(in crate::agent::driver) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<UtcDateTime, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)?;
        Ok(time.to_utc())
    }
}

/// A time of day, or none.
pub(super) mod optional_time_of_day {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::UtcDateTime;

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "super::time_of_day")] UtcDateTime);

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(in crate::agent::driver) fn serialize<S: Serializer>(
        time: &Option<UtcDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time).serialize(serializer)
    }

    pub(in crate::agent::driver) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UtcDateTime>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
    }
}

/// A duration in whole milliseconds, or none.
pub(super) mod optional_millis {
    use core::time::Duration;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(in crate::agent::driver) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let millis = duration.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        millis.serialize(serializer)
    }

    pub(in crate::agent::driver) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
