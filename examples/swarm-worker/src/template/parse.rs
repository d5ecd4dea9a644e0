//! Makes the tree of a template from its pieces: its texts, its actions and its blocks.

use std::vec::IntoIter;

use super::TemplateError;
use super::lex::{Piece, PieceKind};
use super::pipeline::{MAX_DEPTH, Pipeline, Tokens, fail};

#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Text(String),
    Action(Pipeline),
    If(Block),
    With(Block),
    Range(Block),
}

/// A block of `if`, `with` or `range`.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

pub(super) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0 };
    match parser.nodes()? {
        (nodes, Ending::Template) => Ok(nodes),
        (_, Ending::End(line)) => Err(fail(line, "there is an `end` without a block")),
        (_, Ending::Else(line, _)) => Err(fail(line, "there is an `else` without an `if`")),
    }
}

struct Parser {
    pieces: IntoIter<Piece>,
    depth: usize,
}

/// What has ended a list of nodes.
enum Ending {
    Template,
    End(usize),
    /// With the tokens that follow `else`.
    Else(usize, Tokens),
}

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, Ending), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(Piece { line, kind }) = self.pieces.next() {
            let kind = match kind {
                PieceKind::Text(text) => NodeKind::Text(text),
                PieceKind::Action(tokens) => {
                    let mut tokens = Tokens::new(tokens, line);
                    match tokens.keyword().as_deref() {
                        Some("end") => {
                            tokens.end()?;
                            return Ok((nodes, Ending::End(line)));
                        }
                        Some("else") => return Ok((nodes, Ending::Else(line, tokens))),
                        Some("if") => NodeKind::If(self.block(&mut tokens)?),
                        Some("with") => NodeKind::With(self.block(&mut tokens)?),
                        Some("range") => NodeKind::Range(self.block(&mut tokens)?),
                        Some(keyword) => {
                            return Err(fail(line, format!("`{keyword}` is not supported")));
                        }
                        None => NodeKind::Action(tokens.pipeline(0)?),
                    }
                }
            };
            nodes.push(Node { line, kind });
        }
        Ok((nodes, Ending::Template))
    }

    fn block(&mut self, tokens: &mut Tokens) -> Result<Block, TemplateError> {
        let line = tokens.line;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(fail(line, format!("blocks are nested more than {MAX_DEPTH} deep")));
        }
        let pipeline = tokens.pipeline(0)?;
        let (body, end) = self.nodes()?;
        let otherwise = match end {
            Ending::End(_) => Vec::new(),
            Ending::Template => return Err(unended(line)),
            Ending::Else(line, mut tokens) => match tokens.keyword().as_deref() {
                // The `end` belongs to the first `if`.
                Some("if") => vec![Node { line, kind: NodeKind::If(self.block(&mut tokens)?) }],
                Some("with") => vec![Node { line, kind: NodeKind::With(self.block(&mut tokens)?) }],
                _ => {
                    tokens.end()?;
                    match self.nodes()? {
                        (nodes, Ending::End(_)) => nodes,
                        (_, Ending::Template) => return Err(unended(line)),
                        (_, Ending::Else(line, _)) => {
                            return Err(fail(line, "there is a second `else`"));
                        }
                    }
                }
            },
        };
        self.depth -= 1;
        Ok(Block { pipeline, body, otherwise })
    }
}

fn unended(line: usize) -> TemplateError {
    fail(line, "a block has no end; write {{end}} after it")
}
