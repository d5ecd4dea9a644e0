//! Small pieces of text, as both views write them.

use std::time::Duration;

use onward::lifecycle::TaskStatus;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The text without line ends, escapes and other control characters: a program's error is
/// shown, not obeyed.
pub fn one_line(text: &str) -> String {
    let text = text.trim();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How many cells of a terminal the text takes.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text in at most so many cells, with a `…` where something is missing.
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

/// The text and spaces behind it, so many cells together.
pub(super) fn padded(text: &str, cells: u16) -> String {
    format!("{text}{:1$}", "", usize::from(cells.saturating_sub(width(text))))
}

/// A duration in at most six cells, unless it is a hundred days: `1.2s`, `4m05s`, `3h20m`, `12d04h`.
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

/// The workload's process, if it is known.
pub(super) fn pid(status: &TaskStatus) -> Option<i32> {
    status.container_status.as_ref()?.pid
}

/// The exit code of the workload, if it is known and not 0.
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
    fn a_duration_has_the_two_units_that_matter() {
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
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\x1b[31m\nb\r\n"), "a [31m b");
    }
}
