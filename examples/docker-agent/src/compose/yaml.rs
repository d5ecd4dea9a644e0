//! Reads YAML into a tree in which every value has its position.
//!
//! A scalar keeps its text as it is written, so that `1.10` stays `1.10`. The reader of a key decides
//! what the text means.

use std::collections::HashMap;

use agent_kit::{Position, Problem};
use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};

/// How deep lists and maps can be nested. Real files need less than ten levels.
const MAX_DEPTH: usize = 64;

/// How large a file may be with its aliases replaced: bytes of text, and [`NODE_SIZE`] for each value.
const MAX_SIZE: usize = 1024 * 1024;

/// What a value counts beside its text.
const NODE_SIZE: usize = 32;

/// A value and its position.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
    size: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A scalar. `plain` is one without quotes, which can be null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// The entries in the order of the file. The keys differ.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry and its position.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) position: Position,
    pub(super) text: String,
}

impl Node {
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn new(position: Position, value: Value) -> Self {
        let size = match &value {
            Value::Scalar { text, .. } => text.len(),
            Value::List(items) => items.iter().map(|item| item.size).sum(),
            Value::Map(entries) => {
                entries.iter().map(|(key, value)| key.text.len() + value.size).sum()
            }
        };
        Self { position, value, size: size + NODE_SIZE }
    }

    fn null(position: Position) -> Self {
        Self::new(position, Value::Scalar { text: String::new(), plain: true })
    }
}

/// Reads one document. An empty one is null.
///
/// # Errors
///
/// The text is no YAML, has several documents, or is too deep or too large.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| problem(position(*error.marker()), error.info()))?;
        builder.add(event, position(span.start))?;
    }
    Ok(builder.root.unwrap_or_else(|| Node::null(Position { line: 1, column: 1 })))
}

pub(super) fn problem(position: Position, problem: impl Into<String>) -> Problem {
    Problem { position, field: None, problem: problem.into() }
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// Builds the tree from the events of the parser.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    /// The lists and maps that are not complete, from the outside to the inside.
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// The size of all values so far.
    size: usize,
}

struct Open {
    position: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, merged: Vec<Node>, key: Option<Key> },
}

impl Builder {
    #[allow(clippy::wildcard_enum_match_arm)] // the enum can grow
    fn add(&mut self, event: Event<'_>, at: Position) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                let plain = style == ScalarStyle::Plain;
                let node = Node::new(at, Value::Scalar { text: text.into_owned(), plain });
                self.count(node.size, at)?;
                self.finish(anchor, node)
            }
            Event::Alias(anchor) => {
                let Some(size) = self.anchors.get(&anchor).map(|node| node.size) else {
                    return Err(problem(at, "an alias cannot be a part of its own anchor"));
                };
                self.count(size, at)?;
                let node = self.anchors.get(&anchor).cloned();
                let node = node.unwrap_or_else(|| Node::null(at));
                self.finish(0, node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                self.open(at, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), at)?;
                let (entries, merged, key) = Default::default();
                self.open(at, anchor, Content::Map { entries, merged, key })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(problem(at, "a second document begins here; write one document a file"))
            }
            // The start and the end of the stream and of the document have no value.
            _ => Ok(()),
        }
    }

    fn open(&mut self, position: Position, anchor: usize, content: Content) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            let told = format!("lists and maps are nested more than {MAX_DEPTH} levels deep");
            return Err(problem(position, told));
        }
        self.open.push(Open { position, anchor, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(Open { position, anchor, content }) = self.open.pop() else { return Ok(()) };
        self.count(NODE_SIZE, position)?;
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, merged, .. } => Value::Map(merge(entries, merged)?),
        };
        self.finish(anchor, Node::new(position, value))
    }

    /// Limits the memory that aliases of aliases need.
    fn count(&mut self, size: usize, at: Position) -> Result<(), Problem> {
        self.size = self.size.saturating_add(size);
        if self.size > MAX_SIZE {
            let told = format!("with its aliases, the file is larger than {MAX_SIZE} bytes here");
            return Err(problem(at, told));
        }
        Ok(())
    }

    /// Adds a complete value to the list or the map around it.
    fn finish(&mut self, anchor: usize, node: Node) -> Result<(), Problem> {
        if anchor != 0 {
            self.count(node.size, node.position)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { content, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match content {
            Content::List(items) => items.push(node),
            Content::Map { entries, merged, key } => match key.take() {
                None => *key = Some(read_key(node, entries)?),
                Some(key) if key.text == "<<" => merged.push(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}

fn read_key(node: Node, entries: &[(Key, Node)]) -> Result<Key, Problem> {
    let position = node.position;
    let Value::Scalar { text, .. } = node.value else {
        return Err(problem(position, "a key is text, not a list or a map"));
    };
    if text.contains('\0') {
        return Err(problem(position, "a key cannot have a NUL byte"));
    }
    if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
        let Position { line, column } = first.position;
        let told = format!("the key `{text}` is already given at {line}:{column}; leave out one");
        return Err(problem(position, told));
    }
    Ok(Key { position, text })
}

/// Adds the entries of the maps under `<<` whose keys are not given. The first map takes precedence.
fn merge(mut entries: Vec<(Key, Node)>, merged: Vec<Node>) -> Result<Vec<(Key, Node)>, Problem> {
    let mut maps = merged;
    maps.reverse();
    while let Some(Node { position, value, .. }) = maps.pop() {
        match value {
            Value::Map(others) => {
                for (key, value) in others {
                    if !entries.iter().any(|(given, _)| given.text == key.text) {
                        entries.push((key, value));
                    }
                }
            }
            Value::List(items) => maps.extend(items.into_iter().rev()),
            Value::Scalar { .. } => {
                return Err(problem(position, "`<<` needs a map, as in `<<: *defaults`"));
            }
        }
    }
    Ok(entries)
}

/// Tags such as `!reset` change the meaning of a value.
fn check_tag(tag: Option<&Tag>, at: Position) -> Result<(), Problem> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            let told = format!("the tag {} is not known; leave it out", tag.original());
            Err(problem(at, told))
        }
        Some(_) | None => Ok(()),
    }
}
