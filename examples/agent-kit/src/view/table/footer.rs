//! The last line of the table: the number of tasks in each state, and the hint.

use onward::lifecycle::TaskState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::text::{cut, one_line, width};
use super::bar;
use crate::board::Row;

/// Draws the totals, and the hint if it fits.
pub(super) fn draw(
    rows: &[Row],
    hidden: usize,
    hint: &str,
    colored: bool,
    area: Rect,
    canvas: &mut Buffer,
) {
    let mut x = area.x;
    let mut spans = totals(rows, hidden, colored).into_iter().peekable();
    while let Some(span) = spans.next() {
        // Keep one cell for the mark that something is missing.
        let kept = u16::from(spans.peek().is_some());
        let room = area.right().saturating_sub(x);
        if width(&span.content) > room.saturating_sub(kept) {
            let mut text = cut(&span.content, room);
            if text == span.content {
                text = cut(&span.content, room.saturating_sub(kept));
            }
            canvas.set_span(x, area.y, &Span::styled(text, span.style), room);
            return;
        }
        (x, _) = canvas.set_span(x, area.y, &span, room);
    }
    let hint = one_line(hint);
    let end = area.right().saturating_sub(width(&hint));
    if end >= x.saturating_add(2) {
        let hint = Line::styled(hint, Style::new().dim());
        canvas.set_line(end, area.y, &hint, area.right().saturating_sub(end));
    }
}

/// Formats `9 tasks: 3 running, 4 complete, 2 failed`, each state in its color.
fn totals(rows: &[Row], hidden: usize, colored: bool) -> Vec<Span<'static>> {
    let tasks = if rows.len() == 1 { "task" } else { "tasks" };
    let mut spans = vec![Span::styled(format!("{} {tasks}", rows.len()), Style::new().bold())];
    if hidden > 0 {
        spans.push(Span::raw(format!(" ({hidden} not shown)")));
    }
    let mut before = ": ";
    for state in TaskState::ALL {
        let count = rows.iter().filter(|row| row.status.state == state).count();
        if count > 0 {
            spans.push(Span::raw(before));
            spans.push(Span::styled(format!("{count} {state}"), bar::style(state, colored)));
            before = ", ";
        }
    }
    spans
}
