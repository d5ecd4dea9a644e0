//! Makes the tree of a template from its pieces.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::TemplateError;
use super::lex::{Piece, PieceKind, Token};

/// The deepest nesting of blocks and parentheses.
const MAX_DEPTH: usize = 50;

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

/// Commands of which each is the last argument of the next.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// The variables that get the value.
    pub(super) variables: Vec<String>,
    /// Whether the variables exist.
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Function(String),
    /// Fields of the dot, a variable, or a pipeline in parentheses.
    Fields(Box<Operand>, Vec<String>),
    Variable(String),
    Parentheses(Pipeline),
}

pub(super) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0 };
    match parser.nodes()? {
        (nodes, Ending::Template) => Ok(nodes),
        (_, Ending::End(line)) => Err(fail(line, "there is an `end` without a block")),
        (_, Ending::Else(line, _)) => Err(fail(line, "there is an `else` without an `if`")),
    }
}

fn fail(line: usize, problem: impl Into<String>) -> TemplateError {
    TemplateError { line, problem: problem.into() }
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

/// The tokens of one action.
struct Tokens {
    tokens: Peekable<IntoIter<Token>>,
    line: usize,
}

impl Tokens {
    fn new(tokens: Vec<Token>, line: usize) -> Self {
        Self { tokens: tokens.into_iter().peekable(), line }
    }

    fn fail<T>(&self, problem: impl Into<String>) -> Result<T, TemplateError> {
        Err(fail(self.line, problem))
    }

    fn skip_space(&mut self) {
        while self.tokens.next_if_eq(&Token::Space).is_some() {}
    }

    /// The keyword at the begin, if there is one.
    fn keyword(&mut self) -> Option<String> {
        const KEYWORDS: [&str; 10] = [
            "if", "else", "end", "range", "with", "define", "block", "template", "break",
            "continue",
        ];
        self.skip_space();
        let next = self.tokens.next_if(
            |token| matches!(token, Token::Word(word) if KEYWORDS.contains(&word.as_str())),
        );
        match next {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Checks that the action ends here.
    fn end(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        match self.tokens.next() {
            None => Ok(()),
            Some(token) => self.fail(format!("unexpected {token:?} at the end of an action")),
        }
    }

    /// Reads a pipeline, up to the end of the action or a closing parenthesis.
    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, TemplateError> {
        if depth > MAX_DEPTH {
            return self.fail(format!("parentheses are nested more than {MAX_DEPTH} deep"));
        }
        let (variables, is_assignment, first) = self.variables()?;
        let mut commands = vec![self.command(first, depth)?];
        while self.tokens.next_if_eq(&Token::Pipe).is_some() {
            commands.push(self.command(None, depth)?);
        }
        if depth == 0 {
            self.end()?;
        }
        Ok(Pipeline { variables, is_assignment, commands })
    }

    /// Reads `$a :=`, `$a, $b :=` or `$a =`. A variable that is none of it is the first operand.
    fn variables(&mut self) -> Result<(Vec<String>, bool, Option<Operand>), TemplateError> {
        let mut variables = Vec::new();
        loop {
            self.skip_space();
            let next = self.tokens.next_if(|token| matches!(token, Token::Variable(_)));
            let Some(Token::Variable(variable)) = next else {
                return if variables.is_empty() {
                    Ok((variables, false, None))
                } else {
                    self.fail("a variable must follow the comma")
                };
            };
            let had_space = self.tokens.next_if_eq(&Token::Space).is_some();
            match self.tokens.peek() {
                Some(Token::Comma) if variables.is_empty() => variables.push(variable),
                Some(token @ (Token::Declare | Token::Assign)) => {
                    let is_assignment = *token == Token::Assign;
                    variables.push(variable);
                    self.tokens.next();
                    return Ok((variables, is_assignment, None));
                }
                _ if variables.is_empty() => {
                    let operand = Operand::Variable(variable);
                    let fields = if had_space { Vec::new() } else { self.fields() };
                    return Ok((variables, false, Some(with_fields(operand, fields))));
                }
                _ => return self.fail("`:=` must follow the variables"),
            }
            self.tokens.next();
        }
    }

    fn command(
        &mut self,
        first: Option<Operand>,
        depth: usize,
    ) -> Result<Vec<Operand>, TemplateError> {
        let mut operands: Vec<_> = first.into_iter().collect();
        loop {
            self.skip_space();
            match self.tokens.peek() {
                None | Some(Token::Pipe | Token::Close) => break,
                Some(_) => operands.push(self.operand(depth)?),
            }
        }
        if operands.is_empty() {
            return self.fail("a value is missing");
        }
        Ok(operands)
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, TemplateError> {
        let operand = match self.tokens.next() {
            Some(Token::Dot) => return Ok(Operand::Dot),
            Some(Token::Field(first)) => {
                let fields = [first].into_iter().chain(self.fields()).collect();
                return Ok(Operand::Fields(Box::new(Operand::Dot), fields));
            }
            Some(Token::Variable(name)) => Operand::Variable(name),
            Some(Token::Text(text)) => return Ok(Operand::Text(text)),
            Some(Token::Int(number)) => return Ok(Operand::Int(number)),
            Some(Token::Float(number)) => return Ok(Operand::Float(number)),
            Some(Token::Word(word)) => {
                return Ok(match word.as_str() {
                    "true" => Operand::Bool(true),
                    "false" => Operand::Bool(false),
                    "nil" => Operand::Nil,
                    _ => Operand::Function(word),
                });
            }
            Some(Token::Open) => {
                let pipeline = self.pipeline(depth + 1)?;
                if self.tokens.next() != Some(Token::Close) {
                    return self.fail("a parenthesis is not closed");
                }
                Operand::Parentheses(pipeline)
            }
            Some(token) => return self.fail(format!("unexpected {token:?}")),
            None => return self.fail("a value is missing"),
        };
        Ok(with_fields(operand, self.fields()))
    }

    /// The fields that follow without a space.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Token::Field(field)) =
            self.tokens.next_if(|token| matches!(token, Token::Field(_)))
        {
            fields.push(field);
        }
        fields
    }
}

fn with_fields(operand: Operand, fields: Vec<String>) -> Operand {
    if fields.is_empty() { operand } else { Operand::Fields(Box::new(operand), fields) }
}
