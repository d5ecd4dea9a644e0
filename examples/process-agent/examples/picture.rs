//! Draws the live table of the demo as an SVG picture, for the README.
//!
//! ```sh
//! cargo build -p process-agent
//! cargo run -p process-agent --example picture > docs/demo.svg
//! ```
//!
//! It runs the demo in a pseudo-terminal, and draws the content of the terminal after some seconds.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::num::NonZero;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::{Cell, Color, Parser};

const COLUMNS: NonZero<u16> = NonZero::<u16>::MIN.saturating_add(103);
/// The lines of the table, and an empty line below it.
const ROWS: NonZero<u16> = NonZero::<u16>::MIN.saturating_add(12);
/// The moment of the picture. Tasks of all kinds are in the table: running, ended and retried ones.
const MOMENT: Duration = Duration::from_millis(2_700);

/// The size of a character in units of the picture.
const CELL: (f32, f32) = (8.4, 19.0);
const MARGIN: f32 = 16.0;

fn main() -> Result<()> {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&terminal)?;
    unlockpt(&terminal)?;
    let size = Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size)?;
    let path = ptsname(&terminal, Vec::new())?.into_string()?;
    let side = OpenOptions::new().read(true).write(true).open(path)?;

    let example = env::current_exe()?;
    let folder =
        example.ancestors().nth(2).context("this program is not in a folder of cargo's")?;
    let mut demo = Command::new(folder.join("process-agent"))
        .arg("run")
        .env("TERM", "xterm-256color")
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(side.try_clone()?)
        .stderr(side)
        .spawn()
        .context("cannot start process-agent: run `cargo build -p process-agent` first")?;
    let screen = shown(&output(File::from(terminal)), MOMENT);
    let pid = rustix::process::Pid::from_child(&demo);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    demo.wait()?;
    print!("{}", svg(screen.screen()));
    Ok(())
}

/// Reads the output of the terminal as it arrives.
fn output(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // The read fails when the last writer has closed the terminal.
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            let Some(read) = bytes.get(..count) else { return };
            if sender.send(read.to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Returns the screen after this time.
fn shown(output: &Receiver<Vec<u8>>, time: Duration) -> Parser {
    let mut parser = Parser::new(ROWS, COLUMNS, 0);
    let end = Instant::now() + time;
    while let Ok(bytes) = output.recv_timeout(end.saturating_duration_since(Instant::now())) {
        parser.process(&bytes);
    }
    parser
}

fn svg(screen: &vt100::Screen) -> String {
    let (columns, rows) = (COLUMNS.get(), ROWS.get() - 1);
    let width = f32::from(columns).mul_add(CELL.0, 2.0 * MARGIN);
    let height = f32::from(rows).mul_add(CELL.1, 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"14\" role=\"img\">\n\
         <title>The live table of process-agent's demo</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e2e\"/>\n"
    );
    for row in 0..rows {
        let y = f32::from(row + 1).mul_add(CELL.1, MARGIN - 5.0);
        let mut column = 0;
        while column < columns {
            let (start, first) = (column, screen.cell(row, column));
            let mut text = String::new();
            while let Some(cell) =
                screen.cell(row, column).filter(|cell| is_alike(Some(cell), first))
            {
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += 1;
            }
            column = column.max(start + 1);
            if let Some(cell) = first.filter(|_| !text.trim().is_empty()) {
                let x = f32::from(start).mul_add(CELL.0, MARGIN);
                let length = f32::from(column - start) * CELL.0;
                let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
                let opacity = if cell.dim() { " opacity=\"0.6\"" } else { "" };
                let text = text.replace('&', "&amp;").replace('<', "&lt;");
                // Writing to a String never fails.
                _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{weight}{opacity} \
                     xml:space=\"preserve\">{text}</text>",
                    color(cell.fgcolor()),
                );
            }
        }
    }
    svg + "</svg>\n"
}

fn is_alike(cell: Option<&Cell>, first: Option<&Cell>) -> bool {
    let style = |cell: &Cell| (cell.fgcolor(), cell.bold(), cell.dim());
    cell.map(style) == first.map(style)
}

fn color(color: Color) -> String {
    const NAMED: [&str; 16] = [
        "#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#f5c2e7", "#94e2d5", "#bac2de",
        "#7f849c", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#f5c2e7", "#94e2d5", "#cdd6f4",
    ];
    match color {
        Color::Default => "#cdd6f4".into(),
        Color::Idx(index) => NAMED.get(usize::from(index)).unwrap_or(&"#cdd6f4").to_string(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}
