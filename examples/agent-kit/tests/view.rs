//! Both forms of the view: the table and plain lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/rows.rs"]
mod rows;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use agent_kit::board::{Board, Changed, Row};
use agent_kit::view::plain::Plain;
use agent_kit::view::screen::Screen;
use agent_kit::view::table::Table;
use agent_kit::view::{Form, show};
use onward::lifecycle::{TaskState, TaskStatus};
use ratatui::layout::Size;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use rows::{container, row, rows, seconds, status};

const HINT: &str = "Ctrl-C: shut down";

fn watched(hint: &'static str) -> watch::Receiver<&'static str> {
    watch::channel(hint).1
}

fn changed(rows: &[Row]) -> Changed {
    Changed { rows: rows.to_vec(), removed: Vec::new() }
}

#[test]
fn the_output_of_a_program_cannot_control_the_terminal() {
    let now = Instant::now() + seconds(1000.0);
    let said = status(TaskState::Failed, "a\nb", "\x1b[2J\u{7}日本");
    let rows = [row(now, "evil\r", 0.0, said)];
    let bytes = Screen::new().show(Size::new(80, 9), 3, |area, canvas| {
        Table::new(true).draw(&rows, &[], now, "\x1b]0;x\u{7}", area, canvas);
    });
    let text = String::from_utf8(bytes.unwrap()).unwrap();
    assert!(!text.contains('\u{7}') && !text.contains("\x1b[2J"), "{text:?}");
    let lines = Plain::new(now).look(&changed(&rows), &[], now);
    assert_eq!(lines, "   0.000  evil  failed     a b: \\u{1b}[2J\\u{7}日本\n");
}

#[test]
fn a_task_that_has_ended_is_shown_without_a_process() {
    let now = Instant::now() + seconds(1000.0);
    for (state, has_pid) in [(TaskState::Running, true), (TaskState::Shutdown, false)] {
        let rows = [row(now, "web", 0.0, container(status(state, "", ""), 4711, 0))];
        let bytes = Screen::new().show(Size::new(80, 9), 3, |area, canvas| {
            Table::new(false).draw(&rows, &[], now, "", area, canvas);
        });
        let text = String::from_utf8(bytes.unwrap()).unwrap();
        assert_eq!(text.contains("4711"), has_pid, "{text}");
        assert_eq!(Plain::new(now).look(&changed(&rows), &[], now).contains("4711"), has_pid);
    }
}

#[test]
fn plain_lines_show_each_event_of_a_task_once() {
    use TaskState::{Accepted, Complete, Failed, Preparing, Running};
    let start = Instant::now();
    let mut plain = Plain::new(start);
    let mut rows = vec![
        row(start, "web", 0.0, status(Accepted, "accepted", "")),
        row(start, "worker", 0.0, status(Preparing, "preparing", "")),
    ];
    let mut told = String::new();
    let mut look = |rows: &[Row], at: f64| {
        told += &plain.look(&changed(rows), &[], start + seconds(at));
        assert_eq!(plain.look(&changed(rows), &[], start + seconds(at)), "", "printed twice");
    };
    look(&rows, 0.0);
    rows[0].status = container(status(Running, "started", ""), 4711, 0);
    rows[1].attempt = Some(1);
    look(&rows, 1.234);
    for attempt in 1..=2 {
        rows[1].status.err = Some("no route".into());
        rows[1].retry_at = Some(start + seconds(f64::from(attempt) + 1.5));
        look(&rows, f64::from(attempt) + 0.5);
        rows[1].retry_at = None;
        rows[1].attempt = Some(attempt + 1);
        look(&rows, f64::from(attempt) + 1.5);
    }
    rows[1].status.err = Some("no route at all".into());
    look(&rows, 4.0);
    rows[0].status = container(status(Failed, "started", ""), 0, 3);
    rows[1].status = container(status(Failed, "started", "exited with code 137"), 0, 137);
    look(&rows, 12_345.678_9);
    rows[0].status = status(Complete, "", "");
    look(&rows, 12_346.0);
    assert_eq!(
        told,
        "
   0.000  web     accepted
   0.000  worker  preparing
   1.234  web     running    started (pid 4711)
   1.500  worker  preparing  attempt 1 failed, next in 1.0s: no route
   2.500  worker  preparing  attempt 2
   2.500  worker  preparing  attempt 2 failed, next in 1.0s: no route
   3.500  worker  preparing  attempt 3
   4.000  worker  preparing  no route at all
12345.679  web     failed     started: exit code 3
12345.679  worker  failed     started: exited with code 137
12346.000  web     complete
"
        .trim_start_matches('\n')
    );
}

#[test]
fn a_failure_that_comes_with_its_state_is_printed_after_the_state() {
    let now = Instant::now() + seconds(1000.0);
    let mut row = row(now, "a", 0.0, status(TaskState::Starting, "starting", "busy"));
    (row.attempt, row.retry_at) = (Some(1), Some(now + seconds(1.0)));
    assert_eq!(
        Plain::new(now).look(&changed(&[row]), &[], now),
        "   0.000  a  starting\n   0.000  a  starting   attempt 1 failed, next in 1.0s: busy\n"
    );
}

/// Returns the output of a view when a task ends and the view is closed right after it.
async fn shown(form: Form) -> String {
    let board = Arc::new(Board::new(vec![Row::new("a", TaskStatus::new(TaskState::Running))]));
    let (end, ended) = oneshot::channel::<()>();
    let mut out = Vec::new();
    let view = show(Arc::clone(&board), &mut out, form, watched(HINT), ended);
    let life = async {
        sleep(seconds(0.25)).await;
        board.update("a", |row| row.status.state = TaskState::Complete);
        end.send(()).unwrap();
    };
    let (result, ()) = tokio::join!(view, life);
    result.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn a_final_state_is_shown_if_the_view_ends_at_the_same_time() {
    let lines = shown(Form::Plain).await;
    let states: Vec<_> = lines.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(states, ["running", "complete"]);

    let table = shown(Form::Table { colored: false, size: || Size::new(60, 20) }).await;
    let (before, last) = table.split_at(table.find("complete").unwrap());
    assert!(before.contains("running") && before.contains(HINT), "{table:?}");
    assert!(last.ends_with("\r\n"), "no empty line for the prompt: {table:?}");
}

#[tokio::test]
async fn a_view_with_a_closed_output_waits_for_the_end_without_an_error() {
    for form in [Form::Plain, Form::Table { colored: true, size: || Size::new(80, 24) }] {
        let (reader, out) = io::pipe().unwrap();
        drop(reader);
        let out = tokio::net::unix::pipe::Sender::from_owned_fd(out.into()).unwrap();
        let board = Arc::new(Board::new(rows(Instant::now() + seconds(1000.0))));
        show(board, out, form, watched(HINT), sleep(seconds(0.2))).await.unwrap();
    }
}

#[tokio::test]
async fn the_hint_can_change() {
    let (hint, hints) = watch::channel(HINT);
    let board = Arc::new(Board::new(rows(Instant::now() + seconds(1000.0))));
    let (out, mut terminal) = tokio::io::duplex(1 << 16);
    let form = Form::Table { colored: false, size: || Size::new(120, 24) };
    let view = show(board, out, form, hints, pending::<()>());
    let reader = async {
        let mut seen = String::new();
        while !seen.contains("kill") {
            let mut bytes = [0; 4096];
            let count = terminal.read(&mut bytes).await.unwrap();
            seen += &String::from_utf8_lossy(&bytes[..count]);
            if seen.contains(HINT) {
                hint.send_replace("Ctrl-C again: kill");
            }
        }
    };
    let both = async {
        tokio::select! { _ = view => panic!("ended"), () = reader => {} }
    };
    timeout(seconds(60.0), both).await.unwrap();
}
