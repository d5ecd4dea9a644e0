//! Values in templates.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// A value, with the types that a swarm's templates have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Map(Rc<BTreeMap<String, String>>),
    Struct(Rc<[(&'static str, Value)]>),
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether `if` takes the value for true: it is not zero, and not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Struct(_) => true,
        }
    }

    /// The value of a field, or of an entry of a map.
    pub(super) fn field(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Struct(fields) => {
                let found = fields.iter().find(|(field, _)| *field == name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| {
                    let known: Vec<_> = fields.iter().map(|(field, _)| *field).collect();
                    format!("there is no field {name:?}; known are {}", known.join(", "))
                })
            }
            Self::Map(entries) => entries.get(name).map(Self::text).ok_or_else(|| {
                format!(
                    "there is no label {name:?}; `index` returns an empty text for one that is missing"
                )
            }),
            Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) => {
                Err(format!("a {} has no field {name:?}", self.type_name()))
            }
        }
    }

    /// The number of bytes that a copy of the value takes. Maps and structs are shared.
    pub(super) fn copied(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// The most bytes that the value has when it is printed.
    pub(super) fn printed(&self) -> usize {
        let sum = |sizes: &mut dyn Iterator<Item = usize>| sizes.fold(8, usize::saturating_add);
        match self {
            Self::Nil | Self::Bool(_) | Self::Int(_) => 20,
            // The largest has 309 digits before its point, and the smallest 1074 after it.
            Self::Float(_) => 1_400,
            Self::Text(text) => text.len(),
            Self::Map(entries) => {
                sum(&mut entries.iter().map(|(key, value)| key.len() + value.len() + 2))
            }
            Self::Struct(fields) => {
                sum(&mut fields.iter().map(|(_, value)| value.printed().saturating_add(1)))
            }
        }
    }

    /// The name of the type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Map(_) => "map[string]string",
            Self::Struct(_) => "struct",
        }
    }
}

/// As Go's `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => out.write_str("<no value>"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Text(text) => out.write_str(text),
            Self::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                write!(out, "map[{}]", entries.join(" "))
            }
            Self::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(_, value)| value.to_string()).collect();
                write!(out, "{{{}}}", fields.join(" "))
            }
        }
    }
}
