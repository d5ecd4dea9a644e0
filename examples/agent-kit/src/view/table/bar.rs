//! The progress bar of a task, and the color of its state.

use onward::lifecycle::TaskState;
use ratatui::style::{Color, Style};
use ratatui::text::Span;

/// The number of cells of a bar: one for each step from `assigned` to `complete`.
pub(super) const CELLS: u16 = 6;

/// Returns how many steps a task in this state has completed. A final state that can follow several
/// states returns the smallest number.
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
        // In earlier states, a failure is a rejection.
        TaskState::Starting | TaskState::Failed => 4,
        TaskState::Running => 5,
        TaskState::Complete => CELLS,
    }
}

/// Returns the color of a state. It is one of the terminal's 16 colors, which the user has chosen
/// to be readable. For the same reason, unimportant text is dim and not gray.
pub(super) fn style(state: TaskState, colored: bool) -> Style {
    let color = match state {
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
    if colored { Style::new().fg(color) } else { Style::new() }
}

/// Draws the bar of a task with this many completed steps.
pub(super) fn bar(steps: u16, style: Style) -> Vec<Span<'static>> {
    let full = usize::from(steps.min(CELLS));
    let empty = usize::from(CELLS).saturating_sub(full);
    vec![Span::styled("▰".repeat(full), style), Span::styled("▱".repeat(empty), Style::new().dim())]
}
