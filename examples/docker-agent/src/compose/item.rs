//! A value of a Compose file with the path of its key: reads texts, numbers, lists and maps, and makes
//! errors with the position and the path.

use std::str::FromStr;

use agent_kit::{Position, Problem};

use super::interpolation::{Env, interpolate};
use super::yaml::{Key, Node, Value};

/// A value and the path of its key.
#[derive(Clone)]
pub(super) struct Item<'a> {
    node: &'a Node,
    /// For example `services.web.ports[0]`. Empty for the whole file.
    field: String,
    env: Env<'a>,
}

/// An entry of a map.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    /// The position of the key.
    pub(super) position: Position,
    pub(super) item: Item<'a>,
}

impl Entry<'_> {
    /// An error about the key.
    pub(super) fn problem(&self, problem: impl Into<String>) -> Problem {
        Problem { position: self.position, ..self.item.problem(problem) }
    }
}

impl<'a> Item<'a> {
    pub(super) fn new(node: &'a Node, env: Env<'a>) -> Self {
        Self { node, field: String::new(), env }
    }

    /// An error about this value.
    pub(super) fn problem(&self, problem: impl Into<String>) -> Problem {
        let field = Some(self.field.clone()).filter(|field| !field.is_empty());
        Problem { position: self.node.position, field, problem: problem.into() }
    }

    pub(super) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// The value of a variable of the agent's environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// The text of a scalar, with its variables replaced.
    pub(super) fn text(&self) -> Result<String, Problem> {
        let Value::Scalar { text, .. } = &self.node.value else {
            let kind = if self.is_list() { "a list" } else { "a map" };
            return Err(self.problem(format!("this is {kind}; write a single value")));
        };
        if self.is_null() {
            return Err(self.problem("there is no value"));
        }
        let text = interpolate(text, self.env).map_err(|problem| self.problem(problem))?;
        if text.contains('\0') {
            return Err(self.problem(format!("{text:?} has a NUL byte; leave it out")));
        }
        Ok(text)
    }

    /// A value that is written as text. `example` is the end of the error: "write it like …".
    pub(super) fn parsed<T: FromStr>(&self, example: &str) -> Result<T, Problem> {
        let text = self.text()?;
        text.trim().parse().map_err(|_| self.wrong(&text, example))
    }

    /// The error that `text` is not right.
    pub(super) fn wrong(&self, text: &str, example: &str) -> Problem {
        self.problem(format!("{text:?} is not right; write it like {example}"))
    }

    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            other => Err(self.problem(format!("{other:?} is not right; write true or false"))),
        }
    }

    /// The values of a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, Problem> {
        let Value::List(items) = &self.node.value else {
            return Err(self.problem("this is not a list; write a list such as [a, b]"));
        };
        let items = items.iter().enumerate();
        Ok(items
            .map(|(index, node)| self.inner(node, format!("{}[{index}]", self.field)))
            .collect())
    }

    /// The texts of a list.
    pub(super) fn texts(&self) -> Result<Vec<String>, Problem> {
        self.items()?.iter().map(Self::text).collect()
    }

    /// The value itself, or the values of a list.
    pub(super) fn one_or_more(&self) -> Result<Vec<Self>, Problem> {
        if self.is_list() { self.items() } else { Ok(vec![self.clone()]) }
    }

    /// The entries of a map, without those that begin with `x-`.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'a>>, Problem> {
        self.all_entries(|key| !key.starts_with("x-"))
    }

    fn all_entries(&self, is_read: impl Fn(&str) -> bool) -> Result<Vec<Entry<'a>>, Problem> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.problem("this is not a map; write `key: value` on lines below it"));
        };
        let read = entries.iter().filter(|(key, _)| is_read(&key.text));
        Ok(read.map(|(key, node)| self.entry(key, node)).collect())
    }

    fn entry(&self, key: &'a Key, node: &'a Node) -> Entry<'a> {
        let separator = if self.field.is_empty() { "" } else { "." };
        let text = key.text.replace(char::is_control, "");
        let item = self.inner(node, format!("{}{separator}{text}", self.field));
        Entry { key: &key.text, position: key.position, item }
    }

    fn inner(&self, node: &'a Node, field: String) -> Self {
        Self { node, field, env: self.env }
    }

    /// The entries of a map whose keys are all in `known`. Those without a value are left out.
    pub(super) fn known(&self, known: &[&str]) -> Result<Vec<Entry<'a>>, Problem> {
        let mut entries = self.entries()?;
        if let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key)) {
            let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            return Err(entry.problem(format!(
                "this key is misspelled, or has no counterpart here; correct it or leave it out; known are {}",
                known.join(", ")
            )));
        }
        entries.retain(|entry| !entry.item.is_null());
        Ok(entries)
    }

    /// Names and values: a map, or a list of `name=value`. The value is `None` where there is none.
    pub(super) fn pairs(&self) -> Result<Vec<(String, Option<String>, Self)>, Problem> {
        if self.is_map() {
            let entries = self.all_entries(|_| true)?.into_iter();
            return entries
                .map(|Entry { key, item, .. }| {
                    let value = if item.is_null() { None } else { Some(item.text()?) };
                    Ok((key.to_owned(), value, item))
                })
                .collect();
        }
        let items = self.items()?.into_iter();
        items
            .map(|item| {
                let text = item.text()?;
                Ok(match text.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned()), item),
                    None => (text, None, item),
                })
            })
            .collect()
    }

    /// Names and values, where no value is an empty one.
    pub(super) fn map<M: FromIterator<(String, String)>>(&self) -> Result<M, Problem> {
        let pairs = self.pairs()?.into_iter();
        Ok(pairs.map(|(name, value, _)| (name, value.unwrap_or_default())).collect())
    }
}
