//! The parsers of a keeper, for the fuzz targets in `fuzz/`. Not part of the public interface.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    control::Request,
    exit::Exit,
    files::{KeeperRecord, Spec},
    run::Launched,
    state::Report,
};

/// The format that a text is parsed as.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `spec.json`.
    Spec,
    /// `keeper.json`.
    Keeper,
    /// `exit.json`.
    Exit,
    /// A request to a keeper.
    Request,
    /// A report of a keeper to its clients.
    Report,
    /// A report of a keeper to its launcher.
    Launched,
}

impl Kind {
    /// All formats.
    pub const ALL: [Self; 6] =
        [Self::Spec, Self::Keeper, Self::Exit, Self::Request, Self::Report, Self::Launched];
}

/// Parses a text, writes the value, and parses that. Returns whether both values are equal. `None`
/// if the text is refused.
#[must_use]
pub fn survives(kind: Kind, text: &[u8]) -> Option<bool> {
    match kind {
        Kind::Spec => is_same_again::<Spec>(text),
        Kind::Keeper => is_same_again::<KeeperRecord>(text),
        Kind::Exit => is_same_again::<Exit>(text),
        Kind::Request => is_same_again::<Request>(text),
        Kind::Report => is_same_again::<Report>(text),
        Kind::Launched => is_same_again::<Launched>(text),
    }
}

fn is_same_again<T: Serialize + DeserializeOwned>(text: &[u8]) -> Option<bool> {
    let read = serde_json::from_slice::<T>(text).ok()?;
    let write = |value: &T| serde_json::to_vec(value).ok();
    let Some(written) = write(&read) else { return Some(false) };
    let again = serde_json::from_slice::<T>(&written).ok();
    Some(again.and_then(|again| write(&again)) == Some(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_text_survives() {
        let time = "2026-11-22T08:33:59.123456789Z";
        let texts = [
            r#"{"token":"1-2","definition":{"command":["true"]}}"#.to_owned(),
            format!(
                r#"{{"keeper":{{"pid":1,"start_time":2}},"workload":null,"boot_id":"x","started_at":"{time}"}}"#
            ),
            r#"{"spawn_error":"x","errno":2}"#.to_owned(),
            r#"{"stop":true}"#.to_owned(),
            r#"{"state":"starting","log_error":null}"#.to_owned(),
            r#""started""#.to_owned(),
        ];
        for (kind, text) in Kind::ALL.into_iter().zip(texts) {
            assert_eq!(survives(kind, text.as_bytes()), Some(true), "{kind:?}");
        }
    }
}
