//! Text functions of both views.

use std::time::Duration;

use onward::lifecycle::TaskStatus;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Whether a character controls a terminal instead of being shown: control characters, and
/// characters that change the direction of text.
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'];
    c.is_control()
        || turns.contains(&c)
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes a text safe to print on a terminal. It escapes control characters, for example as
/// `\u{1b}`, but not newlines.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_obeyed(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Makes a text safe to print on a terminal, in one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    printable(&text.trim().replace(['\n', '\r', '\t'], " "))
}

/// Returns the width of a text in terminal cells.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Cuts a text to a number of cells. A `…` marks the missing part.
pub(super) fn cut(text: &str, cells: u16) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut left = usize::from(cells).saturating_sub(1);
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let mut short: String = text.chars().take_while(fits).collect();
    if cells > 0 {
        short.push('…');
    }
    short
}

/// Pads a text with spaces to a number of cells.
pub(super) fn padded(text: &str, cells: u16) -> String {
    format!("{text}{:1$}", "", usize::from(cells.saturating_sub(width(text))))
}

/// Formats a duration in at most six cells, up to 100 days: `1.2s`, `4m05s`, `3h20m`, `12d04h`.
pub fn duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = tenths / 10;
    match seconds {
        0..60 => format!("{seconds}.{}s", tenths % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// Returns the exit code of the workload, if it is known and not 0.
pub(super) fn exit_code(status: &TaskStatus) -> Option<i32> {
    status.container_status.as_ref()?.exit_code.filter(|&code| code != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_cut(cells: u16, expected: &str) {
        assert_eq!(cut("日本 x", cells), expected);
        assert!(width(expected) <= cells);
    }

    #[test]
    fn a_text_is_cut_by_cells_and_not_by_characters() {
        check_cut(6, "日本 x");
        check_cut(5, "日本…");
        check_cut(4, "日…");
        check_cut(3, "日…");
        check_cut(2, "…");
        check_cut(1, "…");
        check_cut(0, "");
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        let check = |millis, expected: &str| {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        };
        check(0, "0.0s");
        check(1_249, "1.2s");
        check(59_949, "59.9s");
        check(59_950, "1m00s");
        check(245_000, "4m05s");
        check(12_000_000, "3h20m");
        check(1_051_200_000, "12d04h");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\x1b[31m\nb\r\n"), "a\\u{1b}[31m b");
        assert_eq!(one_line("\u{9b}1m\u{202e}x"), "\\u{9b}1m\\u{202e}x");
        assert_eq!(printable("a\nb\tc"), "a\nb\\u{9}c");
    }
}
