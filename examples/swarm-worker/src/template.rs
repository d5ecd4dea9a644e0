//! Go templates in the options of a service, and in secrets and configs.

/// The error of a template: what is wrong with it, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template, line {line}: {problem}")]
pub struct TemplateError {
    /// The line of the template, from 1.
    pub line: usize,
    /// What is wrong. It has no part of a secret or a config.
    pub problem: String,
}
