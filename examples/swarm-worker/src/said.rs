//! The words of a manager, made safe to print.

/// The most characters of them that are printed.
const LONGEST: usize = 300;

/// Returns a text of a manager for an error: on one line, and not longer than a few lines.
pub(crate) fn said(text: &str) -> String {
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(LONGEST).map(safe).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    if shown.is_empty() { "it does not say why".to_owned() } else { shown }
}
