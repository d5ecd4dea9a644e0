//! The live table of all tasks.
//!
//! ```text
//! task    state             for  tries            pid  message  error
//! web     ▰▰▰▰▰▱ running    4.2s                 4711  started
//! disk    ▰▰▱▱▱▱ preparing  0.3s  1, next in 0.7s               no space left on device
//! bad     ▰▰▰▰▰▱ failed 3   2.1s                       started  exited with code 3
//! 3 tasks: 1 preparing, 1 running, 1 failed                      Ctrl-C: shut down
//! ```

mod bar;
mod columns;
mod footer;

use std::collections::BTreeMap;
use std::time::Instant;

use onward::lifecycle::TaskState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::text::{cut, duration, exit_code, one_line, width};
use crate::board::{Changed, Row};
use crate::workload::pid;
use columns::{Column, Place, Widths};

/// Draws the table. It remembers the progress of each task, because a row does not contain it.
#[derive(Debug)]
pub struct Table {
    colored: bool,
    widths: Widths,
    /// For the id of each task, the state in which it was last seen and the number of completed steps.
    steps: BTreeMap<String, (TaskState, u16)>,
}

impl Table {
    /// Makes an empty table. Without colors, it uses only bold and dim text.
    #[must_use]
    pub fn new(colored: bool) -> Self {
        Self { colored, widths: Widths::at_first(), steps: BTreeMap::new() }
    }

    /// Returns the number of lines of the whole table, with header, notices and footer.
    #[must_use]
    pub fn height(rows: &[Row], notices: &[String]) -> u16 {
        let lines = rows.len().saturating_add(notices.len());
        u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2)
    }

    /// Notes the progress of the tasks that have changed. The final state of a task does not show
    /// how far it came, so the table must have seen the states before.
    pub fn look(&mut self, changed: &Changed) {
        for id in &changed.removed {
            self.steps.remove(id);
        }
        self.note(&changed.rows);
    }

    fn note(&mut self, rows: &[Row]) {
        for row in rows {
            let state = row.status.state;
            let (before, steps) = self.steps.entry(row.id.clone()).or_insert((state, 0));
            // A task in an earlier state is a new task of the same id.
            let first = if state < *before { 0 } else { *steps };
            (*before, *steps) = (state, bar::steps(state).max(first));
        }
    }

    /// Draws as much of the table as fits. The footer has priority, then the notices, the rows and
    /// the header.
    pub fn draw(
        &mut self,
        rows: &[Row],
        notices: &[String],
        now: Instant,
        hint: &str,
        area: Rect,
        canvas: &mut Buffer,
    ) {
        self.note(rows);
        let area = area.intersection(canvas.area);
        let [header, body, below, footer] = parts(area, notices.len());
        let shown = chosen(rows, usize::from(body.height));
        if rows.iter().all(|row| row.status.state.is_terminal()) {
            self.widths = Widths::at_first(); // the final picture: drop the space for earlier texts
        }
        let mut lines = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let steps = self.steps.get(&row.id).map_or(0, |&(_, steps)| steps);
            let cells = self.cells(row, steps, now);
            for (&column, cell) in Column::ALL.iter().zip(&cells) {
                self.widths.want(column, u16::try_from(cell.width()).unwrap_or(u16::MAX));
            }
            if shown.contains(&index) {
                lines.push(cells);
            }
        }
        let places = self.widths.places(area.width);
        let titles = Column::ALL.map(|column| Line::styled(column.title(), Style::new().dim()));
        for (y, line) in header.rows().zip([titles]).chain(body.rows().zip(lines)) {
            for place in &places {
                put(&line, *place, y, canvas);
            }
        }
        let style = if self.colored { Style::new().fg(Color::Red) } else { Style::new().bold() };
        for (y, notice) in below.rows().zip(notices) {
            canvas.set_stringn(y.x, y.y, cut(&one_line(notice), y.width), y.width.into(), style);
        }
        if footer.height > 0 {
            let hidden = rows.len().saturating_sub(shown.len());
            footer::draw(rows, hidden, hint, self.colored, footer, canvas);
        }
    }

    /// Returns the cells of a task's line.
    fn cells(&self, row: &Row, steps: u16, now: Instant) -> [Line<'static>; Column::ALL.len()] {
        let status = &row.status;
        let ended = status.state.is_terminal();
        let style = bar::style(status.state, self.colored);
        let state = match exit_code(status).filter(|_| ended) {
            Some(code) => format!("{} {code}", status.state),
            None => status.state.to_string(),
        };
        let time = duration(now.saturating_duration_since(row.since));
        let error_style = match (status.state, self.colored) {
            (TaskState::Shutdown, _) if row.note.is_empty() => Style::new().dim(),
            (_, false) => Style::new(),
            (_, true) => Style::new().fg(if ended { Color::Red } else { Color::Yellow }),
        };
        let quiet = if ended { Style::new().dim() } else { Style::new() };
        [
            Line::raw(one_line(&row.name)),
            Line::from(bar::bar(steps, style)),
            Line::styled(state, style),
            Line::styled(time, quiet),
            Line::raw(tries(row, now)),
            Line::styled(pid(status).map(|pid| pid.to_string()).unwrap_or_default(), quiet),
            Line::styled(one_line(row.progress.as_deref().unwrap_or(&status.message)), quiet),
            Line::styled(
                one_line(if row.note.is_empty() {
                    status.err.as_deref().unwrap_or_default()
                } else {
                    &row.note
                }),
                error_style,
            ),
        ]
    }
}

/// Splits an area into header, body, notices and footer.
fn parts(area: Rect, notices: usize) -> [Rect; 4] {
    let footer = area.height.min(1);
    let below = u16::try_from(notices).unwrap_or(u16::MAX).min(area.height.saturating_sub(footer));
    let header = u16::from(area.height.saturating_sub(below) > 2);
    let body = area.height.saturating_sub(footer + below + header);
    let mut y = area.y;
    [header, body, below, footer].map(|height| {
        let part = Rect { y, height, ..area };
        y = y.saturating_add(height);
        part
    })
}

/// Chooses the rows to show if not all fit: first those of running tasks, then those of failed
/// tasks. They stay in their order, so that a row keeps its place.
fn chosen(rows: &[Row], room: usize) -> Vec<usize> {
    let mut all: Vec<_> = rows.iter().map(|row| row.status.state).enumerate().collect();
    all.sort_by_key(|&(_, state)| (state.is_terminal(), state < TaskState::Failed));
    let mut chosen: Vec<_> = all.into_iter().take(room).map(|(index, _)| index).collect();
    chosen.sort_unstable();
    chosen
}

/// Formats the number of attempts, if there was more than one.
fn tries(row: &Row, now: Instant) -> String {
    let Some(attempt) = row.attempt else { return String::new() };
    match row.retry_at {
        Some(at) => format!("{attempt}, next in {}", duration(at.saturating_duration_since(now))),
        None if attempt > 1 => attempt.to_string(),
        None => String::new(),
    }
}

/// Draws a column of a line, cut to its width.
fn put(line: &[Line<'_>], place: Place, y: Rect, canvas: &mut Buffer) {
    let Some(cell) = line.get(place.column as usize) else { return };
    let mut x = y.x.saturating_add(place.x);
    let mut room = place.width;
    if place.column.right_aligned() {
        x = x.saturating_add(room.saturating_sub(u16::try_from(cell.width()).unwrap_or(room)));
    }
    for span in cell {
        let text = cut(&span.content, room);
        room = room.saturating_sub(width(&text));
        let span = Span::styled(text, cell.style.patch(span.style));
        (x, _) = canvas.set_span(x, y.y, &span, width(&span.content));
    }
}
