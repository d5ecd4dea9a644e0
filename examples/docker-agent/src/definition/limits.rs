use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::text::some_size;

/// Limits and reservations of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// The most processor time, in processors. Default: no limit.
    pub cpus: Option<Cpus>,
    /// The most memory, in bytes. Default: no limit. A container that needs more is killed.
    #[serde(with = "some_size")]
    pub memory: Option<i64>,
    /// The memory that the container keeps when memory runs out, in bytes. Default: none.
    #[serde(with = "some_size")]
    pub memory_reservation: Option<i64>,
    /// The most memory and swap together, in bytes; -1 for no limit. Default: twice the memory.
    #[serde(with = "some_size")]
    pub memory_swap: Option<i64>,
    /// How readily the kernel swaps, from 0 to 100. Default: the kernel's.
    pub memory_swappiness: Option<i64>,
    /// The most processes. Default: the engine's setting.
    pub pids: Option<i64>,
    /// Generic resources that a scheduler has assigned, by kind. The container finds each kind in
    /// its environment: `DOCKER_RESOURCE_GPU=id1,id2`.
    pub generic: BTreeMap<String, Vec<String>>,
}

/// A number of processors, in billionths. Written as a number: `1.5`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cpus(pub i64);

const BILLION: f64 = 1e9;

impl Cpus {
    #[allow(clippy::cast_precision_loss)] // exact below nine million processors
    fn number(self) -> f64 {
        self.0 as f64 / BILLION
    }
}

impl fmt::Debug for Cpus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.number(), out)
    }
}

impl Serialize for Cpus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}

impl<'de> Deserialize<'de> for Cpus {
    #[allow(clippy::cast_possible_truncation)] // in bounds
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if number > 0.0 && number <= 1e6 {
            return Ok(Self((number * BILLION).round() as i64));
        }
        Err(D::Error::custom(format!(
            "{number} is no number of processors; write it like 0.5 or 2"
        )))
    }
}

/// A limit of each process of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    /// Its name, for example `nofile`.
    pub name: String,
    /// The value in force; -1 for no limit.
    pub soft: i64,
    /// The highest value that a process can set; -1 for no limit.
    pub hard: i64,
}
