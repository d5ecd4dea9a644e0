//! Replaces variables in the values of a Compose file: `${NAME}`, `${NAME:-default}` and the other
//! forms of the Compose specification.

/// How deep a default can contain other variables.
const MAX_DEPTH: usize = 16;

/// Returns the value of a variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces the variables in a text. `$$` becomes `$`. A `$` before any other character stays.
///
/// # Errors
///
/// The error says which variable is not set, or which expression is wrong.
pub(super) fn interpolate(text: &str, env: Env<'_>) -> Result<String, String> {
    replace(text, env, 0)
}

fn replace(text: &str, env: Env<'_>, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err(format!("variables are nested more than {MAX_DEPTH} levels deep"));
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let Some((expression, after)) = split_at_brace(after) else {
                return Err(format!("`${{{after}` has no `}}`; write a `$` as `$$`"));
            };
            out.push_str(&value(expression, env, depth)?);
            rest = after;
        } else {
            let (name, after) = split_name(after);
            match name {
                "" => out.push('$'),
                name => out.push_str(&env(name).ok_or_else(|| not_set(name))?),
            }
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of the expression between the braces.
fn value(expression: &str, env: Env<'_>, depth: usize) -> Result<String, String> {
    let (name, operation) = split_name(expression);
    if name.is_empty() {
        return Err(format!("`${{{expression}}}` has no name of a variable; write a `$` as `$$`"));
    }
    let (operation, only_if_filled) = match operation.strip_prefix(':') {
        Some(operation) => (operation, true),
        None => (operation, false),
    };
    let found = env(name);
    let usable = found.clone().filter(|value| !only_if_filled || !value.is_empty());
    let mut characters = operation.chars();
    let (operator, word) = (characters.next(), characters.as_str());
    match (operator, usable) {
        (None, _) if !only_if_filled => found.ok_or_else(|| not_set(name)),
        (Some('-' | '?'), Some(value)) => Ok(value),
        (Some('-'), None) | (Some('+'), Some(_)) => replace(word, env, depth + 1),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => {
            let word = replace(word, env, depth + 1)?;
            let separator = if word.is_empty() { "" } else { ": " };
            Err(format!("the variable {name} is required{separator}{word}"))
        }
        _ => Err(format!(
            "`${{{expression}}}` is not an expression of Compose; write it like ${{{name}}} or \
             ${{{name}:-default}}"
        )),
    }
}

fn not_set(name: &str) -> String {
    format!(
        "the variable {name} is not set in the environment of the agent; set it, or give a default \
         as in ${{{name}:-default}}"
    )
}

/// Splits behind the `}` that ends an expression. Expressions can be nested.
fn split_at_brace(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut last = ' ';
    for (index, character) in text.char_indices() {
        match character {
            '{' if last == '$' => depth += 1,
            '}' if depth == 0 => {
                let (expression, after) = text.split_at(index);
                return Some((expression, after.strip_prefix('}').unwrap_or(after)));
            }
            '}' => depth -= 1,
            _ => {}
        }
        last = character;
    }
    None
}

/// Splits behind the name of a variable: a letter or `_`, and letters, digits and `_`.
fn split_name(text: &str) -> (&str, &str) {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return ("", text);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn every_form_of_the_specification_is_replaced() {
        for (text, expected) in [
            ("", ""),
            ("$A-${A}", "a-a"),
            ("$$A $${A} $", "$A ${A} $"),
            ("$1 $- $ä", "$1 $- $ä"),
            ("${EMPTY}|$EMPTY", "|"),
            ("${NO-x} ${NO:-y} ${EMPTY-x} ${EMPTY:-y} ${A-x} ${A:-y}", "x y  y a a"),
            ("${A?x}${A:?x}${EMPTY?x}", "aa"),
            ("${A:+x}${A+y}${NO+x}${NO:+x}${EMPTY:+x}${EMPTY+z}", "xyz"),
            ("${NO:-${A}}/${NO:-${NO-$A}b}", "a/ab"),
            ("${NO:-{}}", "{}"),
            ("${NO:-}", ""),
        ] {
            assert_eq!(interpolate(text, &env).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_expression_is_refused_with_its_reason() {
        let not_set = "the variable NO is not set in the environment of the agent; set it, or give \
                       a default as in ${NO:-default}";
        for (text, expected) in [
            ("$NO", not_set),
            ("x ${NO} x", not_set),
            ("${NO?}", "the variable NO is required"),
            ("${NO:?set it to $A}", "the variable NO is required: set it to a"),
            ("${EMPTY:?no}", "the variable EMPTY is required: no"),
            ("${A", "`${A` has no `}`; write a `$` as `$$`"),
            ("${}", "`${}` has no name of a variable; write a `$` as `$$`"),
            (
                "${A/x/y}",
                "`${A/x/y}` is not an expression of Compose; write it like ${A} or ${A:-default}",
            ),
            (
                "${A:}",
                "`${A:}` is not an expression of Compose; write it like ${A} or ${A:-default}",
            ),
        ] {
            assert_eq!(interpolate(text, &env), Err(expected.to_owned()), "{text}");
        }
    }
}
