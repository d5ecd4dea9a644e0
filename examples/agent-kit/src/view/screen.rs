//! Draws a picture at the end of a terminal's output, again and again.
//!
//! It does the job of ratatui's inline viewport without ratatui's `Terminal`. `Terminal` must know
//! the line of the cursor, and asks the terminal. To read the reply, crossterm switches the terminal
//! to raw mode, in which Ctrl-C is a character and not a signal. It also reads input that was typed
//! for another program. Here, the cursor moves only relative to its last position: the empty line
//! below the picture. A prompt can appear there at any time, even if the program is killed.

use std::io;

use ratatui::backend::IntoCrossterm as _;
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::cursor::{MoveDown, MoveToColumn, MoveUp};
use ratatui::crossterm::queue;
use ratatui::crossterm::style::PrintStyledContent;
use ratatui::crossterm::terminal::{Clear, ClearType};
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Style};

use super::text::width;

/// The picture on the terminal, and the bytes that draw the next one.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    /// How many cells of each line were written.
    written: Vec<u16>,
    /// The position of the cursor in the picture.
    x: u16,
    y: u16,
    bytes: Vec<u8>,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// Makes an empty picture. Its first line will be the line of the cursor.
    #[must_use]
    pub fn new() -> Self {
        Self { shown: Buffer::default(), written: Vec::new(), x: 0, y: 0, bytes: Vec::new() }
    }

    /// Returns the bytes that show a picture of this height. It is cut to one line less than the
    /// terminal has.
    ///
    /// # Errors
    ///
    /// Never fails: the errors are those of a writer into memory.
    pub fn show(
        &mut self,
        terminal: Size,
        lines: u16,
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<Vec<u8>> {
        let most = terminal.height.saturating_sub(1).max(1);
        self.draw(Rect::new(0, 0, terminal.width.max(1), lines.clamp(1, most)), draw)
    }

    /// Returns the bytes for the final picture. All lines are drawn, and those that do not fit
    /// scroll off the screen.
    ///
    /// # Errors
    ///
    /// Never fails, like [`show`](Self::show).
    pub fn end(
        mut self,
        terminal: Size,
        lines: u16,
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<Vec<u8>> {
        self.draw(Rect::new(0, 0, terminal.width.max(1), lines.max(1)), draw)
    }

    fn draw(&mut self, area: Rect, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<Vec<u8>> {
        if area != self.shown.area {
            self.erase(area)?;
        }
        let mut picture = Buffer::empty(area);
        draw(area, &mut picture);
        let shown = std::mem::replace(&mut self.shown, picture.clone());
        self.paint(&shown.diff(&picture), area.height)?;
        Ok(std::mem::take(&mut self.bytes))
    }

    /// Erases the old picture, before one of another size is drawn.
    fn erase(&mut self, area: Rect) -> io::Result<()> {
        let wrapped = |cells: &u16| cells.div_ceil(area.width).max(1);
        // Almost all terminals wrap lines that have become too long. If a terminal cuts them
        // instead, lines above the old picture are erased too.
        let lines: u16 = self.written.iter().map(wrapped).fold(0, u16::saturating_add);
        if lines > 0 {
            queue!(self.bytes, MoveToColumn(0), MoveUp(lines))?; // stops at the top line
            // Line by line: if a whole screen is cleared, some terminals save it to their history.
            queue!(self.bytes, Clear(ClearType::CurrentLine), MoveDown(1))?;
            queue!(self.bytes, Clear(ClearType::FromCursorDown), MoveUp(1))?;
        }
        (self.x, self.y) = (0, 0);
        self.shown = Buffer::empty(area);
        self.written = vec![0; usize::from(area.height)];
        Ok(())
    }

    fn paint(&mut self, cells: &[(u16, u16, &Cell)], height: u16) -> io::Result<()> {
        if cells.is_empty() {
            return Ok(());
        }
        // Erases what was typed below the picture, for example `^C`.
        queue!(self.bytes, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
        self.x = 0;
        let mut rest = cells;
        while let Some(&(x, y, first)) = rest.first() {
            let style = first.style();
            let (text, count) = run(rest);
            let end = x.saturating_add(width(&text));
            rest = rest.get(count..).unwrap_or_default();
            self.go_to(x, y)?;
            queue!(self.bytes, PrintStyledContent(set(style).into_crossterm().apply(text)))?;
            self.x = end;
            if let Some(written) = self.written.get_mut(usize::from(y)) {
                *written = end.max(*written);
            }
        }
        self.go_to(0, height)
    }

    fn go_to(&mut self, x: u16, y: u16) -> io::Result<()> {
        if y < self.y {
            queue!(self.bytes, MoveUp(self.y.saturating_sub(y)))?;
        }
        for _ in self.y..y {
            self.bytes.extend_from_slice(b"\r\n"); // creates the line if it does not exist
            self.x = 0;
        }
        if x != self.x {
            queue!(self.bytes, MoveToColumn(x))?;
        }
        (self.x, self.y) = (x, y);
        Ok(())
    }
}

/// Returns the text of the first cells that have the same style and are adjacent, and their number.
fn run(cells: &[(u16, u16, &Cell)]) -> (String, usize) {
    let mut text = String::new();
    let mut count = 0;
    if let Some(&(x, y, first)) = cells.first() {
        for (next, row, cell) in cells {
            let place = (x.saturating_add(width(&text)), y);
            if (*next, *row) != place || cell.style() != first.style() {
                break;
            }
            text.push_str(cell.symbol());
            count += 1;
        }
    }
    (text, count)
}

/// Removes unset colors and modifiers from a style: crossterm would write a code for each.
fn set(style: Style) -> Style {
    let color = |color: &Color| *color != Color::Reset;
    let mut set = Style::new().add_modifier(style.add_modifier);
    (set.fg, set.bg) = (style.fg.filter(color), style.bg.filter(color));
    set
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    /// Returns the bytes for a picture of these lines.
    fn show(screen: &mut Screen, width: u16, height: u16, lines: &[&str]) -> String {
        let count = u16::try_from(lines.len()).unwrap();
        let bytes = screen.show(Size::new(width, height), count, draw(lines));
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    fn draw(lines: &[&str]) -> impl FnOnce(Rect, &mut Buffer) {
        |area, canvas| {
            for (line, y) in lines.iter().zip(area.rows()) {
                canvas.set_stringn(0, y.y, line, area.width.into(), Style::new());
            }
        }
    }

    #[test]
    fn the_cursor_only_moves_relative_to_where_it_was_left() {
        let mut screen = Screen::new();
        let first = show(&mut screen, 20, 9, &["one", "two"]);
        let start = "\x1b[1G\x1b[J";
        let expected = format!("{start}one\r\ntwo\r\n");
        assert_eq!(first, expected);
        assert_eq!(show(&mut screen, 20, 9, &["one", "two"]), "");
        let next = show(&mut screen, 20, 9, &["one", "too"]);
        assert_eq!(next, format!("{start}\x1b[1A\x1b[2Go\r\n"));
    }

    #[test]
    fn a_wrapped_picture_is_erased_completely() {
        let mut screen = Screen::new();
        show(&mut screen, 20, 9, &["0123456789", "x", ""]);
        let narrow = show(&mut screen, 4, 9, &["0", "x", ""]);
        assert!(narrow.starts_with("\x1b[1G\x1b[5A\x1b[2K\x1b[1B\x1b[J\x1b[1A"), "{narrow:?}");
    }

    #[test]
    fn a_line_below_the_picture_stays_free_and_the_final_picture_has_all_lines() {
        let mut screen = Screen::new();
        let lines = ["a", "b", "c", "d"];
        assert_eq!(show(&mut screen, 9, 3, &lines).matches("\r\n").count(), 2);
        let end = String::from_utf8(screen.end(Size::new(9, 3), 4, draw(&lines)).unwrap()).unwrap();
        assert!(end.starts_with("\x1b[1G\x1b[2A\x1b[2K") && end.contains('d'), "{end:?}");
        assert_eq!(end.matches("\r\n").count(), 4);
    }

    #[test]
    fn a_wide_character_takes_two_cells() {
        let mut screen = Screen::new();
        show(&mut screen, 9, 3, &["日本 a"]);
        assert!(show(&mut screen, 9, 3, &["日本 b"]).contains("\x1b[6G"));
    }

    #[test]
    fn a_terminal_of_size_zero_does_not_panic() {
        let mut screen = Screen::new();
        show(&mut screen, 0, 0, &["a"]);
        show(&mut screen, 1, 1, &["a"]);
    }
}
