//! Reads generic resources from the command line, and from the engine.

use std::collections::BTreeMap;

use bollard::models::{GenericResources, GenericResourcesInner};

use crate::wire;
use crate::wire::generic_resource::Resource;

/// An argument is not a generic resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{argument:?} {problem}")]
pub struct GenericResourceError {
    argument: String,
    problem: &'static str,
}

/// Reads generic resources, each written as `KIND=VALUE`: `gpu=2` is a number of them, and
/// `gpu=GPU-1` one of that name. A kind has either one number or several names.
///
/// # Errors
///
/// The error has the argument that is wrong, and what would be right.
pub fn parse_generic_resources(
    arguments: &[String],
) -> Result<Vec<wire::GenericResource>, GenericResourceError> {
    // Whether the kind is a number, and its names.
    let mut kinds = BTreeMap::<&str, (bool, Vec<&str>)>::new();
    let mut resources = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let fail = |problem| Err(GenericResourceError { argument: argument.clone(), problem });
        let Some((kind, value)) = argument.split_once('=') else {
            return fail("is not a generic resource; write it as gpu=2 or gpu=GPU-1");
        };
        if kind.is_empty() || value.is_empty() {
            return fail("has no kind or no value; write it as gpu=2 or gpu=GPU-1");
        }
        let number = value.parse::<i64>();
        let known = kinds.get(kind);
        let resource = if let Ok(number) = number {
            if known.is_some() {
                return fail("is given twice, or as a number and as a name; a kind has one number");
            }
            if number < 0 {
                return fail("is a negative number of resources");
            }
            let kind = kind.to_owned();
            Resource::DiscreteResourceSpec(wire::DiscreteGenericResource { kind, value: number })
        } else {
            if known.is_some_and(|(is_number, names)| *is_number || names.contains(&value)) {
                return fail("is given twice, or as a number and as a name; names must differ");
            }
            let (kind, value) = (kind.to_owned(), value.to_owned());
            Resource::NamedResourceSpec(wire::NamedGenericResource { kind, value })
        };
        let entry = kinds.entry(kind).or_default();
        entry.0 = matches!(resource, Resource::DiscreteResourceSpec(_));
        entry.1.push(value);
        resources.push(wire::GenericResource { resource: Some(resource) });
    }
    Ok(resources)
}

/// Reads the generic resources that the engine has, such as `node-generic-resources` of its
/// `daemon.json`. Incomplete ones are left out.
pub(super) fn from_engine(resources: GenericResources) -> Vec<wire::GenericResource> {
    let read = |resource: GenericResourcesInner| {
        let GenericResourcesInner { named_resource_spec: named, discrete_resource_spec: number } =
            resource;
        let named = named.and_then(|named| named.kind.zip(named.value)).map(|(kind, value)| {
            Resource::NamedResourceSpec(wire::NamedGenericResource { kind, value })
        });
        let number = number.and_then(|number| number.kind.zip(number.value));
        let number = number.map(|(kind, value)| {
            Resource::DiscreteResourceSpec(wire::DiscreteGenericResource { kind, value })
        });
        Some(wire::GenericResource { resource: Some(named.or(number)?) })
    };
    resources.into_iter().filter_map(read).collect()
}

/// Returns the kind of a resource.
pub(super) fn kind(resource: &wire::GenericResource) -> Option<&str> {
    Some(match resource.resource.as_ref()? {
        Resource::NamedResourceSpec(named) => &named.kind,
        Resource::DiscreteResourceSpec(number) => &number.kind,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Vec<wire::GenericResource>, GenericResourceError> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        parse_generic_resources(&arguments)
    }

    #[test]
    fn a_kind_has_a_number_or_names() {
        let read = parse(&["gpu=GPU-1", "gpu=GPU-2", "ssd=3"]).unwrap();
        let read: Vec<_> = read.into_iter().map(|resource| resource.resource.unwrap()).collect();
        let named = |value: &str| {
            let (kind, value) = ("gpu".to_owned(), value.to_owned());
            Resource::NamedResourceSpec(wire::NamedGenericResource { kind, value })
        };
        let kind = "ssd".to_owned();
        let number =
            Resource::DiscreteResourceSpec(wire::DiscreteGenericResource { kind, value: 3 });
        assert_eq!(read, [named("GPU-1"), named("GPU-2"), number]);
    }

    #[test]
    fn a_wrong_argument_is_refused_with_what_would_be_right() {
        for (arguments, problem) in [
            (&["gpu"][..], "\"gpu\" is not a generic resource; write it as gpu=2"),
            (&["=1"], "has no kind"),
            (&["gpu="], "no value"),
            (&["gpu=-1"], "negative"),
            (&["gpu=1", "gpu=2"], "\"gpu=2\" is given twice"),
            (&["gpu=1", "gpu=a"], "\"gpu=a\" is given twice"),
            (&["gpu=a", "gpu=1"], "\"gpu=1\" is given twice"),
            (&["gpu=a", "gpu=a"], "names must differ"),
        ] {
            let refused = parse(arguments).unwrap_err().to_string();
            assert!(refused.contains(problem), "{refused}");
        }
    }
}
