//! The view of `run`: a live table on a terminal, or plain lines otherwise.

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

/// Time between two pictures of the table.
const TICK: Duration = Duration::from_millis(100);

/// The form in which tasks are shown.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A live table on a terminal.
    Table {
        /// Whether to use colors.
        colored: bool,
        /// Returns the current size of the terminal. Called before each picture.
        size: fn() -> Size,
    },
    /// One line for each event.
    Plain,
}

impl Form {
    /// Chooses the form for standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if !io::stdout().is_terminal() || dumb {
            return Self::Plain;
        }
        // As https://no-color.org defines it: set, and not empty.
        let colored = env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self::Table { colored, size: stdout_size }
    }
}

/// Returns the size of the terminal at standard output. If it is unknown, returns 80 × 24.
fn stdout_size() -> Size {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
        Ok(_) | Err(_) => Size::new(80, 24),
    }
}

/// Shows the board until `done` is ready, and then the final state once.
///
/// The footer of the table has the hint until then. Slow output delays only the view: a terminal
/// that is stopped with Ctrl-S does not stop the tasks. If `out` is closed, nothing more is written,
/// but the call still waits for `done`.
///
/// # Errors
///
/// Returns errors of `out` at once, except for a broken pipe.
///
/// # Cancel safety
///
/// If you drop the future, the view ends, and the last picture stays on the screen.
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
        Form::Table { colored, size } => {
            let picture = Picture { table: Table::new(colored), screen: Screen::new(), size };
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

/// The table and the part of the screen that shows it.
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
                // The change is drawn at the next tick. The table notes it now, so that it sees
                // every state.
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

    /// Returns the bytes that make the terminal show the board.
    fn next(&mut self, board: &Board, hint: &str) -> io::Result<Vec<u8>> {
        let (rows, notices) = (board.rows(), board.notices());
        let Self { table, screen, size } = self;
        screen.show(size(), Table::height(&rows, &notices), |area, canvas| {
            table.draw(&rows, &notices, Instant::now(), hint, area, canvas);
        })
    }
}

/// The output of a view, until it is closed.
struct Out<W>(Option<W>);

impl<W: AsyncWrite + Unpin> Out<W> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(out) = self.0.as_mut().filter(|_| !bytes.is_empty()) else { return Ok(()) };
        let written = match out.write_all(bytes).await {
            Ok(()) => out.flush().await,
            Err(error) => Err(error),
        };
        match written {
            // A terminal that is gone returns this error.
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
