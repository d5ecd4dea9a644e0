//! How far a task has come, as a bar, and what colour that has.

use onward::lifecycle::TaskState;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

/// How many cells a bar has: one for each step from `assigned` to `complete`.
pub(super) const CELLS: u16 = 6;

/// How many steps a task in this state has behind it; an end that can come at any time tells
/// only the least.
pub(super) fn steps(state: TaskState) -> u16 {
    match state {
        TaskState::New
        | TaskState::Pending
        | TaskState::Assigned
        | TaskState::Shutdown
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => 0,
        TaskState::Accepted => 1,
        TaskState::Preparing => 2,
        TaskState::Ready => 3,
        // Up to there, failure is a rejection.
        TaskState::Starting | TaskState::Failed => 4,
        TaskState::Running => 5,
        TaskState::Complete => CELLS,
    }
}

/// The colour of a state. All are of the terminal's own sixteen, which its owner has chosen to
/// be read on its background; what matters little is dim instead of grey for the same reason.
pub(super) fn style(state: TaskState, coloured: bool) -> Style {
    let colour = match state {
        TaskState::New | TaskState::Pending | TaskState::Shutdown | TaskState::Remove => {
            return Style::new().dim();
        }
        TaskState::Assigned
        | TaskState::Accepted
        | TaskState::Preparing
        | TaskState::Ready
        | TaskState::Starting => Color::Yellow,
        TaskState::Running => Color::Cyan,
        TaskState::Complete => Color::Green,
        TaskState::Failed | TaskState::Rejected | TaskState::Orphaned => Color::Red,
    };
    if coloured { Style::new().fg(colour) } else { Style::new() }
}

/// The bar of a task that came so many steps far.
pub(super) fn bar(steps: u16, style: Style) -> Vec<Span<'static>> {
    let full = usize::from(steps.min(CELLS));
    let empty = usize::from(CELLS).saturating_sub(full);
    vec![Span::styled("▰".repeat(full), style), Span::styled("▱".repeat(empty), Style::new().dim())]
}
