//! Reads lines of JSON, with errors that have the position, and prints statuses.

use onward::lifecycle::TaskStatus;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Path;

/// Reads one JSON value. It is parsed as a whole first, so a value that is nested too deeply is
/// refused even in a field that is not used.
pub(crate) fn read<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str::<Value>(line).map_err(|error| told(None, &error))?;
    let mut text = serde_json::Deserializer::from_str(line);
    serde_path_to_error::deserialize(&mut text)
        .map_err(|error| told(Some(error.path()), error.inner()))
}

/// The position of the error, and the error.
fn told(path: Option<&Path>, error: &serde_json::Error) -> String {
    let text = error.to_string();
    // A value is one line, so only the column of the parser's position is needed.
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let column = error.column().max(1);
    match path.map(Path::to_string).filter(|path| path != ".") {
        Some(path) => format!("column {column}: {path}: {text}"),
        None => format!("column {column}: {text}"),
    }
}

/// A status as JSON, without its timestamp and without empty fields.
pub(crate) fn print(status: &TaskStatus) -> Value {
    let mut status = status.clone();
    status.timestamp = None;
    let mut printed = serde_json::to_value(status).unwrap_or(Value::Null);
    if let Some(fields) = printed.as_object_mut() {
        fields.remove("Timestamp");
    }
    prune(&mut printed);
    printed
}

/// Removes empty fields: 0, `""`, `[]`, `{}`.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !is_empty(value));
        }
        Value::Array(values) => values.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Null => true,
        Value::Bool(_) => false,
    }
}
