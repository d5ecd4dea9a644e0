//! Reads the tokens of one action: its keyword, and a pipeline of commands.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::TemplateError;
use super::lex::Token;

/// The deepest nesting of blocks and of parentheses.
pub(super) const MAX_DEPTH: usize = 50;

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

pub(super) fn fail(line: usize, problem: impl Into<String>) -> TemplateError {
    TemplateError { line, problem: problem.into() }
}

/// The tokens of one action.
pub(super) struct Tokens {
    tokens: Peekable<IntoIter<Token>>,
    pub(super) line: usize,
}

impl Tokens {
    pub(super) fn new(tokens: Vec<Token>, line: usize) -> Self {
        Self { tokens: tokens.into_iter().peekable(), line }
    }

    fn fail<T>(&self, problem: impl Into<String>) -> Result<T, TemplateError> {
        Err(fail(self.line, problem))
    }

    fn skip_space(&mut self) {
        while self.tokens.next_if_eq(&Token::Space).is_some() {}
    }

    /// The keyword at the begin, if there is one.
    pub(super) fn keyword(&mut self) -> Option<String> {
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
    pub(super) fn end(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        match self.tokens.next() {
            None => Ok(()),
            Some(token) => self.fail(format!("unexpected {token:?} at the end of an action")),
        }
    }

    /// Reads a pipeline, up to the end of the action or a closing parenthesis.
    pub(super) fn pipeline(&mut self, depth: usize) -> Result<Pipeline, TemplateError> {
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
