//! A picture at the end of what a terminal shows, that is drawn over and over.
//!
//! It is ratatui's inline viewport without ratatui's `Terminal`. That one must know in which
//! line the cursor is, and asks the terminal: to read the answer, crossterm puts it into raw
//! mode, in which Ctrl-C is a character and no signal, and it reads what was typed for
//! somebody else. Here the cursor only ever moves relative to where it was left: in the empty
//! line below the picture, where a prompt may come at any time, even if the program is killed.

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

/// What the terminal shows of the picture, and the bytes that make it so.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    /// How many cells of each line have been written to.
    written: Vec<u16>,
    /// Where the cursor is, in the picture.
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
    /// A picture that has not been begun. Its first line will be the cursor's line.
    #[must_use]
    pub fn new() -> Self {
        Self { shown: Buffer::default(), written: Vec::new(), x: 0, y: 0, bytes: Vec::new() }
    }

    /// What is to be written to a terminal of this size to show a picture that wants so many
    /// lines. It has one line less than the terminal at most.
    ///
    /// # Errors
    ///
    /// None: they are those of a writer, and nothing is written.
    pub fn show(
        &mut self,
        terminal: Size,
        lines: u16,
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<Vec<u8>> {
        let most = terminal.height.saturating_sub(1).max(1);
        self.draw(Rect::new(0, 0, terminal.width.max(1), lines.clamp(1, most)), draw)
    }

    /// As [`show`](Self::show), for the last time: all lines are drawn, and what the terminal
    /// has no room for scrolls away.
    ///
    /// # Errors
    ///
    /// None, as there.
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

    /// Takes the old picture away, before one of another size comes.
    fn erase(&mut self, area: Rect) -> io::Result<()> {
        let wrapped = |cells: &u16| cells.div_ceil(area.width).max(1);
        // Almost all terminals wrap lines that have become too long. In one that cuts them
        // the old picture's neighbours above are erased with it.
        let lines: u16 = self.written.iter().map(wrapped).fold(0, u16::saturating_add);
        if lines > 0 {
            queue!(self.bytes, MoveToColumn(0), MoveUp(lines))?; // stops at the top
            // Not all at once: some terminals keep a whole screen that is cleared as history.
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
        // Below the picture stands what was typed meanwhile: `^C`, for instance.
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
            self.bytes.extend_from_slice(b"\r\n"); // makes the line, where there is none yet
            self.x = 0;
        }
        if x != self.x {
            queue!(self.bytes, MoveToColumn(x))?;
        }
        (self.x, self.y) = (x, y);
        Ok(())
    }
}

/// The text of the first cells that follow each other in one style, and how many they are.
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

/// The style with what is set in it: crossterm would write a code for each default, too.
fn set(style: Style) -> Style {
    let colour = |colour: &Color| *colour != Color::Reset;
    let mut set = Style::new().add_modifier(style.add_modifier);
    (set.fg, set.bg) = (style.fg.filter(colour), style.bg.filter(colour));
    set
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    /// The bytes for a picture of these lines.
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
    fn a_picture_that_was_wrapped_is_taken_away_whole() {
        let mut screen = Screen::new();
        show(&mut screen, 20, 9, &["0123456789", "x", ""]);
        let narrow = show(&mut screen, 4, 9, &["0", "x", ""]);
        assert!(narrow.starts_with("\x1b[1G\x1b[5A\x1b[2K\x1b[1B\x1b[J\x1b[1A"), "{narrow:?}");
    }

    #[test]
    fn there_is_always_a_line_below_the_picture_and_in_the_end_all_lines_are_there() {
        let mut screen = Screen::new();
        let lines = ["a", "b", "c", "d"];
        assert_eq!(show(&mut screen, 9, 3, &lines).matches("\r\n").count(), 2);
        let end = String::from_utf8(screen.end(Size::new(9, 3), 4, draw(&lines)).unwrap()).unwrap();
        assert!(end.starts_with("\x1b[1G\x1b[2A\x1b[2K") && end.contains('d'), "{end:?}");
        assert_eq!(end.matches("\r\n").count(), 4);
    }

    #[test]
    fn wide_characters_take_their_cells() {
        let mut screen = Screen::new();
        show(&mut screen, 9, 3, &["日本 a"]);
        assert!(show(&mut screen, 9, 3, &["日本 b"]).contains("\x1b[6G"));
    }

    #[test]
    fn a_terminal_without_size_is_no_reason_to_panic() {
        let mut screen = Screen::new();
        show(&mut screen, 0, 0, &["a"]);
        show(&mut screen, 1, 1, &["a"]);
    }
}
