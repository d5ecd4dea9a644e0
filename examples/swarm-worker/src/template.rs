//! Go templates in the options of a service, and in secrets and configs.
//!
//! The manager does not expand templates. [`Context`] has the values that they can use. The language
//! is that of Go's `text/template` with its functions, and `join`. Not supported: `define`,
//! `template`, `block`, `break`, `continue` and `call`. An unknown field, function or label is an
//! error. The functions `secret`, `config` and `env` exist in secrets and configs only.

mod context;
mod eval;
mod format;
mod functions;
mod lex;
mod parse;
mod pipeline;
mod value;

pub use context::{Context, Payload};

/// The error of a template: what is wrong with it, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template, line {line}: {problem}")]
pub struct TemplateError {
    /// The line of the template, from 1.
    pub line: usize,
    /// What is wrong. It has no part of a secret or a config.
    pub problem: String,
}

/// Expands a template.
fn expand(
    template: &str,
    data: value::Value,
    payload: Option<&dyn Payload>,
) -> Result<String, TemplateError> {
    // Most options are no templates.
    if !template.contains(lex::LEFT) {
        return Ok(template.to_owned());
    }
    let nodes = parse::parse(lex::pieces(template)?)?;
    eval::Evaluation::new(data, payload).run(&nodes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests;
