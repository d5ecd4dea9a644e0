//! How the program shows its tasks: a table that lives, or lines that stay.

pub mod plain;
pub mod screen;
pub mod table;
mod text;

pub use text::{duration, is_obeyed, one_line, printable};

use std::env;
use std::io::{self, ErrorKind, IsTerminal as _};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::board::{Board, BoardView};
use plain::Plain;
use screen::Screen;
use table::Table;

/// The time between two pictures.
const TICK: Duration = Duration::from_millis(100);

/// How tasks are shown.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// As a table, in a terminal.
    Table {
        /// Whether it has colours.
        coloured: bool,
        /// How large the terminal is now. It is asked before each picture.
        size: fn() -> Size,
    },
    /// As a line for each thing that happens.
    Plain,
}

impl Form {
    /// What standard output can show.
    #[must_use]
    pub fn of_stdout() -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if !io::stdout().is_terminal() || dumb {
            return Self::Plain;
        }
        // As https://no-color.org has it: set, and not to nothing.
        let coloured = env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self::Table { coloured, size: stdout_size }
    }
}

/// How large the terminal at standard output is; what it was for half a century if it does
/// not say so.
fn stdout_size() -> Size {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
        Ok(_) | Err(_) => Size::new(80, 24),
    }
}

/// Shows the board until `done` is ready, and then once more what has become of it.
///
/// The table shows the hint in its corner until then. `out` is written to as slowly as it
/// takes: a terminal that is held with Ctrl-S holds the view, not the tasks. When nobody reads
/// `out` any more, nothing more is written, and `done` is waited for all the same.
///
/// # Errors
///
/// Those of `out`, but for a broken pipe; they are told at once.
///
/// # Cancel safety
///
/// Dropping it ends the view where it is; the picture stays as it was.
pub async fn show(
    board: Arc<Board>,
    out: impl AsyncWrite + Unpin,
    form: Form,
    hint: watch::Receiver<&'static str>,
    done: impl Future,
) -> io::Result<()> {
    let done = pin!(done);
    let out = Out(Some(out));
    match form {
        Form::Table { coloured, size } => {
            let picture = Picture { table: Table::new(coloured), screen: Screen::new(), size };
            picture.show(board.view(), out, hint, done).await
        }
        Form::Plain => lines(board.view(), out, done).await,
    }
}

async fn lines(
    mut view: BoardView,
    mut out: Out<impl AsyncWrite + Unpin>,
    mut done: Pin<&mut impl Future>,
) -> io::Result<()> {
    let mut plain = Plain::new(Instant::now());
    let mut going_on = true;
    loop {
        let news = plain.look(&view.look(), &view.board().notices(), Instant::now());
        out.write(news.as_bytes()).await?;
        if !going_on {
            return Ok(());
        }
        tokio::select! {
            biased;
            _ = &mut done => going_on = false,
            () = view.changed() => {}
        }
    }
}

/// The table and where it is drawn.
struct Picture {
    table: Table,
    screen: Screen,
    size: fn() -> Size,
}

impl Picture {
    async fn show(
        mut self,
        mut view: BoardView,
        mut out: Out<impl AsyncWrite + Unpin>,
        hint: watch::Receiver<&'static str>,
        mut done: Pin<&mut impl Future>,
    ) -> io::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = &mut done => break,
                _ = tick.tick() => {
                    let hint = *hint.borrow();
                    out.write(&self.next(view.board(), hint)?).await?;
                }
                // Drawn with the next tick, but seen: the states in between are the way.
                () = view.changed() => self.table.look(&view.look()),
            }
        }
        let (rows, notices) = (view.board().rows(), view.board().notices());
        let Self { mut table, screen, size } = self;
        let bytes = screen.end(size(), Table::height(&rows, &notices), |area, canvas| {
            table.draw(&rows, &notices, Instant::now(), "", area, canvas);
        })?;
        out.write(&bytes).await
    }

    /// What makes the terminal show the board as it is.
    fn next(&mut self, board: &Board, hint: &str) -> io::Result<Vec<u8>> {
        let (rows, notices) = (board.rows(), board.notices());
        let Self { table, screen, size } = self;
        screen.show(size(), Table::height(&rows, &notices), |area, canvas| {
            table.draw(&rows, &notices, Instant::now(), hint, area, canvas);
        })
    }
}

/// Where a view writes, until nobody reads it.
struct Out<W>(Option<W>);

impl<W: AsyncWrite + Unpin> Out<W> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(out) = self.0.as_mut().filter(|_| !bytes.is_empty()) else { return Ok(()) };
        let written = match out.write_all(bytes).await {
            Ok(()) => out.flush().await,
            Err(error) => Err(error),
        };
        match written {
            // A terminal that is gone says the latter.
            Err(error)
                if error.kind() == ErrorKind::BrokenPipe
                    || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) =>
            {
                self.0 = None;
                Ok(())
            }
            result => result,
        }
    }
}
