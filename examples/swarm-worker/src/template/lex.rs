//! Splits a template into text and actions, and an action into tokens.

use super::TemplateError;

pub(super) const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// A piece of a template, with the line where it begins.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) kind: PieceKind,
}

#[derive(Debug, PartialEq)]
pub(super) enum PieceKind {
    Text(String),
    Action(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.`
    Dot,
    /// `.Name`, without the dot.
    Field(String),
    /// `$` or `$name`, without the `$`.
    Variable(String),
    /// A keyword or the name of a function.
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Comma,
    Declare,
    Assign,
    Open,
    Close,
    /// It separates arguments: `.A .B` is two of them, `.A.B` one.
    Space,
}

/// Splits a template. Comments are left out, and `{{-` and `-}}` have trimmed the text beside them.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let (mut rest, mut line, mut trim) = (template, 1, false);
    loop {
        let (text, after) = rest.split_once(LEFT).unwrap_or((rest, ""));
        let is_last = text.len() == rest.len();
        let next_line = line + newlines(text);
        let trims_before = after.starts_with('-') && after.get(1..).is_some_and(begins_with_space);
        let text = if trim { text.trim_start_matches(is_space) } else { text };
        let text = if trims_before { text.trim_end_matches(is_space) } else { text };
        if !text.is_empty() {
            pieces.push(Piece { line, kind: PieceKind::Text(text.to_owned()) });
        }
        if is_last {
            return Ok(pieces);
        }
        line = next_line;
        let body = if trims_before { after.get(1..).unwrap_or_default() } else { after };
        let action = Action::read(body, line)?;
        trim = action.trims_after;
        if let Some(tokens) = action.tokens {
            pieces.push(Piece { line, kind: PieceKind::Action(tokens) });
        }
        let read = body.len() - action.rest.len();
        line += newlines(body.get(..read).unwrap_or_default());
        rest = action.rest;
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn begins_with_space(text: &str) -> bool {
    text.starts_with(is_space)
}

struct Action<'a> {
    /// `None` for a comment.
    tokens: Option<Vec<Token>>,
    trims_after: bool,
    rest: &'a str,
}

impl<'a> Action<'a> {
    /// Reads what follows `{{`, up to and with `}}`.
    fn read(body: &'a str, line: usize) -> Result<Self, TemplateError> {
        let fail = |problem: String| TemplateError { line, problem };
        if let Some(comment) = body.trim_start_matches(is_space).strip_prefix("/*") {
            let (_, after) =
                comment.split_once("*/").ok_or_else(|| fail("a comment has no end".to_owned()))?;
            let end = Self::end(after).ok_or_else(|| {
                fail("a comment must be followed by the end of its action, }}".to_owned())
            })?;
            return Ok(Self { tokens: None, ..end });
        }
        let mut lexer = Lexer { rest: body };
        let mut tokens = Vec::new();
        loop {
            if let Some(end) = Self::end(lexer.rest) {
                return Ok(Self { tokens: Some(tokens), ..end });
            }
            match lexer.token().map_err(fail)? {
                Some(token) => tokens.push(token),
                None => return Err(fail("an action has no end; write }} after it".to_owned())),
            }
        }
    }

    /// The end of an action, if it is here.
    fn end(text: &'a str) -> Option<Self> {
        let tokens = None;
        if let Some(rest) = text.strip_prefix(RIGHT) {
            return Some(Self { tokens, trims_after: false, rest });
        }
        let trimmed = text.trim_start_matches(is_space);
        let rest = trimmed.strip_prefix('-')?.strip_prefix(RIGHT)?;
        (trimmed.len() < text.len()).then_some(Self { tokens, trims_after: true, rest })
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    /// The next token. `None` at the end of the text.
    fn token(&mut self) -> Result<Option<Token>, String> {
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let token = match first {
            _ if is_space(first) => {
                self.rest = self.rest.trim_start_matches(is_space);
                Token::Space
            }
            '|' => self.skip(1, Token::Pipe),
            ',' => self.skip(1, Token::Comma),
            '(' => self.skip(1, Token::Open),
            ')' => self.skip(1, Token::Close),
            ':' if self.rest.starts_with(":=") => self.skip(2, Token::Declare),
            '=' => self.skip(1, Token::Assign),
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '\'' => self.character()?,
            '$' => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                Token::Variable(self.name())
            }
            '.' if self.rest.get(1..).is_some_and(|rest| rest.starts_with(char::is_numeric)) => {
                self.number()?
            }
            '.' => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                match self.name() {
                    name if name.is_empty() => Token::Dot,
                    name => Token::Field(name),
                }
            }
            '+' | '-' | '0'..='9' => self.number()?,
            _ if is_name(first) => Token::Word(self.name()),
            other => return Err(format!("unexpected character {other:?}")),
        };
        Ok(Some(token))
    }

    fn skip(&mut self, count: usize, token: Token) -> Token {
        self.rest = self.rest.get(count..).unwrap_or_default();
        token
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn name(&mut self) -> String {
        self.take(is_name).to_owned()
    }

    fn number(&mut self) -> Result<Token, String> {
        let is_part =
            |part: char| part.is_ascii_alphanumeric() || matches!(part, '.' | '+' | '-' | '_');
        let text = self.take(is_part).to_owned();
        int(&text)
            .map(Token::Int)
            .or_else(|| text.parse().ok().map(Token::Float))
            .ok_or_else(|| format!("{text} is no number"))
    }

    fn raw(&mut self) -> Result<Token, String> {
        let text = self.rest.get(1..).and_then(|rest| rest.split_once('`'));
        let (text, rest) = text.ok_or("a raw string has no end; write ` after it")?;
        self.rest = rest;
        Ok(Token::Text(text.to_owned()))
    }

    fn quoted(&mut self) -> Result<Token, String> {
        let text = self.until('"').ok_or("a string has no end; write \" after it")?;
        Ok(Token::Text(text?))
    }

    /// A character constant is its number.
    fn character(&mut self) -> Result<Token, String> {
        let text = self.until('\'').ok_or("a character has no end; write ' after it")??;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(Token::Int(i64::from(u32::from(character)))),
            _ => Err(format!("'{text}' is not one character")),
        }
    }

    /// The text between quotes, with its escapes replaced.
    fn until(&mut self, quote: char) -> Option<Result<String, String>> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\n' => return None,
                _ if character == quote => {
                    self.rest = self.rest.get(at + quote.len_utf8()..).unwrap_or_default();
                    return Some(Ok(text));
                }
                '\\' => match escape(&mut characters) {
                    Some(escaped) => text.push(escaped),
                    None => return Some(Err("a string has an unknown escape".to_owned())),
                },
                _ => text.push(character),
            }
        }
        None
    }
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.replace('_', "").to_ascii_lowercase();
    let (radix, digits) = match (lower.get(..2), lower.get(2..)) {
        (Some("0x"), Some(digits)) => (16, digits),
        (Some("0o"), Some(digits)) => (8, digits),
        (Some("0b"), Some(digits)) => (2, digits),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &*lower),
        _ => (10, &*lower),
    };
    // A second sign is not part of a number.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok().and_then(|number| i64::try_from(sign * number).ok())
}

fn escape(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let escaped = characters.next()?.1;
    let mut number = |digits: u32, radix: u32, first: Option<char>| {
        let mut value = first.map_or(Some(0), |first| first.to_digit(radix))?;
        for _ in 0..digits {
            value = value.checked_mul(radix)?.checked_add(characters.next()?.1.to_digit(radix)?)?;
        }
        char::from_u32(value)
    };
    match escaped {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' | '"' | '\'' => Some(escaped),
        'x' => number(2, 16, None),
        'u' => number(4, 16, None),
        'U' => number(8, 16, None),
        '0'..='7' => number(2, 8, Some(escaped)),
        _ => None,
    }
}
