//! The functions of templates.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::context::Payload;
use super::format;
use super::value::Value;

/// Calls a function.
///
/// # Errors
///
/// There is no such function, or its arguments do not fit. The error has none of their values.
pub(super) fn call(
    name: &str,
    arguments: Vec<Value>,
    payload: Option<&dyn Payload>,
) -> Result<Value, String> {
    let at = |problem: String| format!("{name}: {problem}");
    match name {
        "and" | "or" => decide(name == "and", arguments).map_err(at),
        "not" => one(arguments).map(|value| Value::Bool(!value.is_true())).map_err(at),
        "eq" => equals_any(&arguments).map(Value::Bool).map_err(at),
        "ne" | "lt" | "le" | "gt" | "ge" => compare(name, &arguments).map(Value::Bool).map_err(at),
        "len" => one(arguments).and_then(|value| len(&value)).map_err(at),
        "index" => index(arguments).map_err(at),
        "slice" => slice(&arguments).map_err(at),
        "print" => Ok(Value::Text(format::print(&arguments))),
        "println" => Ok(Value::Text(format::println(&arguments))),
        "printf" => match arguments.split_first() {
            Some((Value::Text(form), rest)) => {
                format::printf(form, rest).map(Value::Text).map_err(at)
            }
            _ => Err(at("the first argument must be the format, a text".to_owned())),
        },
        "html" => Ok(Value::Text(html(&format::print(&arguments)))),
        "js" => Ok(Value::Text(js(&format::print(&arguments)))),
        "urlquery" => Ok(Value::Text(urlquery(&format::print(&arguments)))),
        "join" => join(arguments).map_err(at),
        "secret" | "config" | "env" => {
            let payload = payload.ok_or_else(|| {
                at("this function is for the templates in secrets and configs".to_owned())
            })?;
            let Value::Text(argument) = one(arguments).map_err(at)? else {
                return Err(at("the argument must be a text".to_owned()));
            };
            match name {
                "secret" => payload.secret(&argument).map(Value::Text).map_err(at),
                "config" => payload.config(&argument).map(Value::Text).map_err(at),
                _ => Ok(Value::Text(payload.env(&argument))),
            }
        }
        _ => Err(format!("there is no function {name:?}")),
    }
}

/// The most bytes that a function writes for these arguments. `printf` has a limit of its own. A
/// function that only selects a part of an argument writes none.
pub(super) fn most(name: &str, arguments: &[Value]) -> usize {
    let printed = || {
        let sizes = arguments.iter().map(Value::printed);
        sizes.fold(arguments.len(), usize::saturating_add)
    };
    match name {
        "print" | "println" | "printf" => printed(),
        // The longest escape has six bytes.
        "html" | "js" | "urlquery" => printed().saturating_mul(6),
        "join" => {
            let separator = arguments.first().map_or(0, Value::printed);
            separator.saturating_mul(arguments.len()).saturating_add(printed())
        }
        _ => 0,
    }
}

fn one(arguments: Vec<Value>) -> Result<Value, String> {
    let [argument] = <[Value; 1]>::try_from(arguments)
        .map_err(|given| format!("one argument is needed, and there are {}", given.len()))?;
    Ok(argument)
}

/// The first argument that decides, or the last one.
fn decide(is_and: bool, arguments: Vec<Value>) -> Result<Value, String> {
    let count = arguments.len();
    let mut rest = arguments.into_iter().enumerate();
    let found = rest.find(|(at, value)| value.is_true() != is_and || at + 1 == count);
    found.map(|(_, value)| value).ok_or_else(|| "an argument is missing".to_owned())
}

fn equals_any(arguments: &[Value]) -> Result<bool, String> {
    let Some((first, rest @ [_, ..])) = arguments.split_first() else {
        return Err("two arguments are needed".to_owned());
    };
    for other in rest {
        if order(first, other)? == Some(Ordering::Equal) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(name: &str, arguments: &[Value]) -> Result<bool, String> {
    let [first, second] = arguments else { return Err("two arguments are needed".to_owned()) };
    let order = order(first, second)?;
    if name != "ne" && matches!(first, Value::Bool(_) | Value::Nil) {
        return Err(format!("values of type {} have no order", first.type_name()));
    }
    Ok(match name {
        "ne" => order != Some(Ordering::Equal),
        "lt" => order == Some(Ordering::Less),
        "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "gt" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// Only values of the same simple type can be compared.
fn order(first: &Value, second: &Value) -> Result<Option<Ordering>, String> {
    match (first, second) {
        (Value::Bool(first), Value::Bool(second)) => Ok(Some(first.cmp(second))),
        (Value::Int(first), Value::Int(second)) => Ok(Some(first.cmp(second))),
        (Value::Float(first), Value::Float(second)) => Ok(first.partial_cmp(second)),
        (Value::Text(first), Value::Text(second)) => Ok(Some(first.cmp(second))),
        (Value::Nil, Value::Nil) => Ok(Some(Ordering::Equal)),
        _ => {
            Err(format!("a {} and a {} cannot be compared", first.type_name(), second.type_name()))
        }
    }
}

fn len(value: &Value) -> Result<Value, String> {
    let len = match value {
        Value::Text(text) => text.len(),
        Value::Map(entries) => entries.len(),
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Struct(_) => {
            return Err(format!("a {} has no length", value.type_name()));
        }
    };
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

/// An entry of a map, which is empty if it is missing, or the number of a text's byte.
fn index(arguments: Vec<Value>) -> Result<Value, String> {
    let mut arguments = arguments.into_iter();
    let mut value = arguments.next().ok_or("an argument is missing")?;
    for key in arguments {
        value = match (&value, &key) {
            (Value::Map(entries), Value::Text(key)) => {
                Value::text(entries.get(key).cloned().unwrap_or_default())
            }
            (Value::Text(text), Value::Int(at)) => {
                let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at));
                Value::Int(i64::from(*byte.ok_or("the index is out of range")?))
            }
            (value, key) => {
                let (value, key) = (value.type_name(), key.type_name());
                return Err(format!("a {value} cannot be indexed with a {key}"));
            }
        };
    }
    Ok(value)
}

/// The part of a text from one byte to before another.
fn slice(arguments: &[Value]) -> Result<Value, String> {
    let Some((Value::Text(text), bounds)) = arguments.split_first() else {
        return Err("the first argument must be a text".to_owned());
    };
    let bound = |bound: &Value| {
        if let Value::Int(at) = bound { usize::try_from(*at).ok() } else { None }
    };
    let (from, to) = match bounds {
        [] => (Some(0), Some(text.len())),
        [from] => (bound(from), Some(text.len())),
        [from, to] => (bound(from), bound(to)),
        _ => return Err("a text has two bounds at most".to_owned()),
    };
    let part = from.zip(to).and_then(|(from, to)| text.get(from..to));
    part.map(Value::text).ok_or_else(|| "the bounds are out of range".to_owned())
}

/// The first argument is put between the others.
fn join(arguments: Vec<Value>) -> Result<Value, String> {
    let texts = arguments.into_iter().map(|argument| {
        let kind = argument.type_name();
        let text = if let Value::Text(text) = argument { Some(text) } else { None };
        text.ok_or_else(|| format!("the arguments must be texts, and one is a {kind}"))
    });
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let (separator, rest) = texts.split_first().ok_or("the separator is missing")?;
    Ok(Value::Text(rest.join(separator)))
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '\0' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' | '>' | '&' | '=' | '\0'..'\x20' | '\x7f'..'\u{a0}' => {
                _ = write!(escaped, "\\u{:04X}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

fn urlquery(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}
