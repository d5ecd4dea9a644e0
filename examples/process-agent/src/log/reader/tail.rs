//! Finds the last lines of a log, reading backward.

use std::{collections::VecDeque, fs::File, io, ops::ControlFlow, os::unix::fs::FileExt as _};

use crate::log::{
    format::{decode, unescape},
    record::{Head, PerStream},
};

/// A position in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The number of the file, counted from the oldest one.
    pub(super) file: usize,
    /// The offset in the file, in bytes.
    pub(super) offset: u64,
}

impl PerStream<Position> {
    /// Returns the first of the three positions.
    pub(super) fn first(&self) -> Position {
        self.stdout.min(self.stderr).min(self.note)
    }

    pub(super) fn all(&mut self) -> [&mut Position; 3] {
        [&mut self.stdout, &mut self.stderr, &mut self.note]
    }
}

/// Finds the last `lines` lines. For each stream, returns the position of its first record that
/// belongs to one of them.
///
/// A line counts at the position of its last record. There can be lines of the other stream between
/// the records of a line that are not among the last ones. So each stream has its own position.
///
/// It reads blocks of `block` bytes backward from the end of the last file, and stops when it has
/// found the lines.
pub(super) fn find(
    files: &VecDeque<File>,
    lines: usize,
    block: usize,
    wants: impl Fn(&Head) -> bool,
) -> io::Result<PerStream<Position>> {
    let mut end = Position { file: files.len().saturating_sub(1), offset: 0 };
    if let Some(file) = files.back() {
        end.offset = file.metadata()?.len();
    }
    let mut search = Search {
        missing: lines,
        open: PerStream::default(),
        from: PerStream { stdout: end, stderr: end, note: end },
    };
    for (number, file) in files.iter().enumerate().rev().take_while(|_| lines > 0) {
        let found = lines_backward(file, block, |offset, line| match decode(line) {
            Some((head, text)) if wants(&head) && unescape(text, &mut Vec::new()).is_some() => {
                search.take(head, Position { file: number, offset })
            }
            _ => ControlFlow::Continue(()),
        })?;
        if found.is_break() {
            break;
        }
    }
    Ok(search.from)
}

/// The state of a backward search.
struct Search {
    /// The number of lines that are still missing.
    missing: usize,
    /// Whether the first record of the stream's first line is still missing.
    open: PerStream<bool>,
    /// The first record that was found.
    from: PerStream<Position>,
}

impl Search {
    /// Takes the record before those that it has already taken. Breaks when all lines are found.
    fn take(&mut self, head: Head, position: Position) -> ControlFlow<()> {
        let open = self.open.of(head.stream);
        // Whether the line of this record continues in records that were already taken.
        let goes_on = head.partial && *open;
        *open = head.continues && (goes_on || self.missing > 0);
        if goes_on || self.missing > 0 {
            *self.from.of(head.stream) = position;
        }
        if !goes_on {
            self.missing = self.missing.saturating_sub(1);
        }
        let PerStream { stdout, stderr, note } = self.open;
        if self.missing == 0 && !(stdout || stderr || note) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Calls `visit` with each line of a file and its offset, the last one first. It skips lines of
/// `block` or more bytes, and a last line without its newline.
fn lines_backward(
    file: &File,
    block: usize,
    mut visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; block];
    // Whether a line ends at `end`.
    let mut ends = false;
    while end > 0 {
        let start = end.saturating_sub(block as u64);
        let length = usize::try_from(end - start).unwrap_or(block);
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(bytes, start)?;
        // Without the newline of the line that ends there.
        let mut text = bytes.get(..length - usize::from(ends)).unwrap_or_default();
        let mut found = false;
        while let Some(newline) = memchr::memrchr(b'\n', text) {
            let (before, line) = text.split_at(newline);
            let offset = start + newline as u64 + 1;
            if ends && visit(offset, line.get(1..).unwrap_or_default()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            (found, ends) = (true, true);
            end = offset;
            text = before;
        }
        if start == 0 {
            return Ok(if ends { visit(0, text) } else { ControlFlow::Continue(()) });
        }
        if !found {
            end = start;
            ends = false;
        }
    }
    Ok(ControlFlow::Continue(()))
}
