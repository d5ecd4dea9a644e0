//! `print`, `println` and `printf`, as Go has them.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use super::value::Value;

/// The most bytes that a template may expand to. The largest secrets and configs have a megabyte.
pub(super) const MAX_LEN: usize = 8 << 20;

/// The most digits after its point that a number has. The further ones are zeros.
const MAX_DIGITS: usize = 1_074;

/// The widest that a value is printed.
const MAX_WIDTH: usize = 1_000_000;

/// The values one after the other, with a space between two of which none is a text.
pub(super) fn print(values: &[Value]) -> String {
    let mut out = String::new();
    let mut before = None;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if before == Some(false) && !is_text {
            out.push(' ');
        }
        before = Some(is_text);
        out.push_str(&plain(value));
    }
    out
}

/// The values with a space between two, and a line end.
pub(super) fn println(values: &[Value]) -> String {
    let mut out = values.iter().map(plain).collect::<Vec<_>>().join(" ");
    out.push('\n');
    out
}

/// Inside of a text, Go prints nil in this way.
fn plain(value: &Value) -> String {
    if *value == Value::Nil { "<nil>".to_owned() } else { value.to_string() }
}

/// A verb with its flags, such as `%-5s`.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Go's flags
struct Verb {
    minus: bool,
    plus: bool,
    sharp: bool,
    zero: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The values in a format.
///
/// # Errors
///
/// The text is too long.
pub(super) fn printf(form: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = values.iter();
    let mut characters = form.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let verb = Verb::read(&mut characters);
        match characters.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => match rest.next() {
                None => _ = write!(out, "%!{letter}(MISSING)"),
                Some(value) => out.push_str(&verb.format(letter, value)),
            },
        }
        if out.len() > MAX_LEN {
            return Err(format!("the text is longer than {MAX_LEN} bytes"));
        }
    }
    let extra: Vec<_> =
        rest.map(|value| format!("{}={}", value.type_name(), plain(value))).collect();
    if !extra.is_empty() {
        _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    Ok(out)
}

impl Verb {
    fn read(characters: &mut Peekable<Chars<'_>>) -> Self {
        let mut verb = Self::default();
        while let Some(flag) = characters.next_if(|character| "-+# 0".contains(*character)) {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                '0' => verb.zero = true,
                _ => verb.space = true,
            }
        }
        verb.width = number(characters);
        if characters.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(characters).unwrap_or(0));
        }
        verb
    }

    fn format(&self, letter: char, value: &Value) -> String {
        let text = match (letter, value) {
            ('v' | 's', Value::Text(text)) if !self.sharp => self.cut(text),
            ('q' | 'v', Value::Text(text)) => quote(&self.cut(text)),
            ('x' | 'X', Value::Text(text)) => text.bytes().fold(String::new(), |mut hex, byte| {
                _ = match letter {
                    'x' => write!(hex, "{byte:02x}"),
                    _ => write!(hex, "{byte:02X}"),
                };
                hex
            }),
            ('d' | 'v', Value::Int(number)) => {
                self.signed(*number, number.unsigned_abs().to_string())
            }
            ('b', Value::Int(number)) => {
                self.signed(*number, format!("{:b}", number.unsigned_abs()))
            }
            ('o', Value::Int(number)) => {
                let prefix = if self.sharp { "0" } else { "" };
                self.signed(*number, format!("{prefix}{:o}", number.unsigned_abs()))
            }
            ('x', Value::Int(number)) => {
                let prefix = if self.sharp { "0x" } else { "" };
                self.signed(*number, format!("{prefix}{:x}", number.unsigned_abs()))
            }
            ('X', Value::Int(number)) => {
                let prefix = if self.sharp { "0X" } else { "" };
                self.signed(*number, format!("{prefix}{:X}", number.unsigned_abs()))
            }
            ('c' | 'q' | 'U', Value::Int(number)) => {
                let character =
                    u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
                match letter {
                    'c' => character.to_string(),
                    'q' => format!("'{character}'"),
                    _ => format!("U+{number:04X}"),
                }
            }
            ('f' | 'F', Value::Float(number)) => {
                let precision = self.precision.unwrap_or(6);
                let digits = precision.min(MAX_DIGITS);
                format!("{number:.digits$}{}", "0".repeat(precision - digits))
            }
            ('v' | 'g', Value::Float(number)) => number.to_string(),
            ('t' | 'v', Value::Bool(value)) => value.to_string(),
            ('v' | 's', Value::Map(_) | Value::Struct(_)) => value.to_string(),
            ('v', Value::Nil) => "<nil>".to_owned(),
            ('T', _) => value.type_name().to_owned(),
            (_, Value::Nil) => format!("%!{letter}(<nil>)"),
            _ => format!("%!{letter}({}={value})", value.type_name()),
        };
        self.pad(text, matches!(value, Value::Int(_) | Value::Float(_)))
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        }
    }

    fn signed(&self, number: i64, digits: String) -> String {
        match () {
            () if number < 0 => format!("-{digits}"),
            () if self.plus => format!("+{digits}"),
            () if self.space => format!(" {digits}"),
            () => digits,
        }
    }

    fn pad(&self, text: String, is_number: bool) -> String {
        let len = text.chars().count();
        let Some(missing) = self.width.and_then(|width| width.checked_sub(len)) else {
            return text;
        };
        if self.minus {
            return text + &" ".repeat(missing);
        }
        if !self.zero {
            return " ".repeat(missing) + &text;
        }
        // The zeros are between the sign and the digits.
        let zeros = "0".repeat(missing);
        match text.strip_prefix(['-', '+']) {
            Some(digits) if is_number => {
                let sign = text.get(..1).unwrap_or_default();
                format!("{sign}{zeros}{digits}")
            }
            _ => zeros + &text,
        }
    }
}

fn number(characters: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut number = None;
    while let Some(digit) = characters.next_if(char::is_ascii_digit) {
        let digit = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        number = Some((number.unwrap_or(0_usize) * 10 + digit).min(MAX_WIDTH));
    }
    number
}

/// A text in quotes, as Go writes it in a program.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\0'..' ' | '\u{7f}' => _ = write!(quoted, "\\x{:02x}", u32::from(character)),
            _ if character.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(character)),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
