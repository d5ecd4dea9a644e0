//! The table of tasks, in terminals of all sizes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/rows.rs"]
mod rows;

use std::time::Instant;

use agent_kit::board::{Changed, Row};
use agent_kit::view::table::Table;
use onward::lifecycle::{TaskState, TaskStatus};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use rows::{row, rows, seconds};

const HINT: &str = "Ctrl-C: shut down";

fn picture(table: &mut Table, rows: &[Row], now: Instant, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        table.draw(rows, &[], now, HINT, frame.area(), frame.buffer_mut());
    };
    terminal.draw(draw).unwrap();
    terminal.backend().clone()
}

/// Draws the board with rows in different states. The failed task was seen running before.
#[track_caller]
fn check(width: u16, height: u16, expected: &[&str]) {
    let now = Instant::now() + seconds(1000.0);
    let mut rows = rows(now);
    let mut table = Table::new(true);
    rows[3].status.state = TaskState::Running;
    table.look(&Changed { rows: rows.clone(), removed: Vec::new() });
    rows[3].status.state = TaskState::Failed;
    let text = picture(&mut table, &rows, now, width, height).to_string();
    let lines: Vec<_> = text.lines().map(|line| line.trim_matches('"').trim_end()).collect();
    assert_eq!(lines, expected, "\n{text}");
}

/// Returns many more [`rows`].
fn many(now: Instant, count: usize) -> Vec<Row> {
    rows(now).into_iter().cycle().take(count).collect()
}

#[test]
fn a_wide_terminal_shows_all_columns() {
    check(
        120,
        8,
        &[
            "task     state                  for  tries             pid  message    error",
            "web      ▰▰▰▰▰▱ running       4m05s                   4711  started",
            "disk     ▰▰▱▱▱▱ preparing      0.3s  2, next in 0.8s        preparing  no space left on device",
            "migrate  ▰▰▰▰▰▰ complete      1m01s                         finished",
            "bad      ▰▰▰▰▰▱ failed 3       2.1s                         started    exited with code 3",
            "nothing  ▱▱▱▱▱▱ rejected       9.0s                         preparing  `nothing` is no program",
            "cron     ▱▱▱▱▱▱ shutdown 143   0.0s                         shutdown",
            "6 tasks: 1 preparing, 1 running, 1 complete, 1 shutdown, 1 failed, 1 rejected                          Ctrl-C: shut down",
        ],
    );
}

#[test]
fn at_80_columns_the_error_has_priority_over_the_message() {
    check(
        80,
        8,
        &[
            "task     state                  for  tries             pid  error",
            "web      ▰▰▰▰▰▱ running       4m05s                   4711",
            "disk     ▰▰▱▱▱▱ preparing      0.3s  2, next in 0.8s        no space left on de…",
            "migrate  ▰▰▰▰▰▰ complete      1m01s",
            "bad      ▰▰▰▰▰▱ failed 3       2.1s                         exited with code 3",
            "nothing  ▱▱▱▱▱▱ rejected       9.0s                         `nothing` is no pro…",
            "cron     ▱▱▱▱▱▱ shutdown 143   0.0s",
            "6 tasks: 1 preparing, 1 running, 1 complete, 1 shutdown, 1 failed, 1 rejected",
        ],
    );
}

#[test]
fn at_40_columns_states_and_times_are_shown() {
    check(
        40,
        8,
        &[
            "task     state                  for",
            "web      ▰▰▰▰▰▱ running       4m05s",
            "disk     ▰▰▱▱▱▱ preparing      0.3s",
            "migrate  ▰▰▰▰▰▰ complete      1m01s",
            "bad      ▰▰▰▰▰▱ failed 3       2.1s",
            "nothing  ▱▱▱▱▱▱ rejected       9.0s",
            "cron     ▱▱▱▱▱▱ shutdown 143   0.0s",
            "6 tasks: 1 preparing, 1 running, 1 comp…",
        ],
    );
}

#[test]
fn at_12_columns_bars_are_shown() {
    check(
        12,
        8,
        &[
            "task  state",
            "web   ▰▰▰▰▰▱",
            "disk  ▰▰▱▱▱▱",
            "mig…  ▰▰▰▰▰▰",
            "bad   ▰▰▰▰▰▱",
            "not…  ▱▱▱▱▱▱",
            "cron  ▱▱▱▱▱▱",
            "6 tasks: 1 …",
        ],
    );
}

#[test]
fn running_tasks_are_shown_before_failed_ones_if_not_all_fit() {
    check(
        80,
        6,
        &[
            "task     state                  for  tries             pid  error",
            "web      ▰▰▰▰▰▱ running       4m05s                   4711",
            "disk     ▰▰▱▱▱▱ preparing      0.3s  2, next in 0.8s        no space left on de…",
            "bad      ▰▰▰▰▰▱ failed 3       2.1s                         exited with code 3",
            "nothing  ▱▱▱▱▱▱ rejected       9.0s                         `nothing` is no pro…",
            "6 tasks (2 not shown): 1 preparing, 1 running, 1 complete, 1 shutdown, 1 failed…",
        ],
    );
}

#[test]
fn the_footer_is_shown_in_the_smallest_terminal() {
    check(
        80,
        2,
        &[
            "web      ▰▰▰▰▰▱ running       4m05s                   4711",
            "6 tasks (5 not shown): 1 preparing, 1 running, 1 complete, 1 shutdown, 1 failed…",
        ],
    );
    check(
        80,
        1,
        &["6 tasks (6 not shown): 1 preparing, 1 running, 1 complete, 1 shutdown, 1 failed…"],
    );
}

#[test]
fn no_size_panics() {
    let now = Instant::now() + seconds(1000.0);
    let rows = many(now, 13);
    let (mut colored, mut plain) = (Table::new(true), Table::new(false));
    for width in 1..=200 {
        for height in (1..=20).chain([40, 60]) {
            picture(&mut colored, &rows, now, width, height);
        }
        picture(&mut plain, &rows[..usize::from(width % 13)], now, width, 60);
    }
}

#[test]
fn the_bar_of_a_final_state_shows_the_steps_that_it_proves() {
    let now = Instant::now() + seconds(1000.0);
    let check = |state, bar: &str| {
        let rows = [row(now, "t", 0.0, TaskStatus::new(state))];
        let text = picture(&mut Table::new(true), &rows, now, 40, 3).to_string();
        assert!(text.contains(&format!("{bar} {state}")), "{text}");
    };
    check(TaskState::Assigned, "▱▱▱▱▱▱");
    check(TaskState::Rejected, "▱▱▱▱▱▱");
    check(TaskState::Failed, "▰▰▰▰▱▱");
    check(TaskState::Complete, "▰▰▰▰▰▰");
}

#[test]
fn each_state_has_its_color_and_without_colors_none_has() {
    let now = Instant::now() + seconds(1000.0);
    let colors = |colored| {
        let picture = picture(&mut Table::new(colored), &rows(now), now, 80, 8);
        (1..=6).map(|y| picture.buffer()[(17, y)].fg).collect::<Vec<_>>()
    };
    let [reset, red] = [Color::Reset, Color::Red];
    assert_eq!(colors(true), [Color::Cyan, Color::Yellow, Color::Green, red, red, reset]);
    assert_eq!(colors(false), [reset; 6]);
}

#[test]
fn progress_is_shown_in_place_of_the_message() {
    let now = Instant::now() + seconds(1000.0);
    let mut rows = rows(now);
    rows[1].progress = Some("layer 3 of 7\n".to_owned());
    let text = picture(&mut Table::new(true), &rows, now, 120, 8).to_string();
    let disk = text.lines().find(|line| line.contains("disk")).unwrap();
    assert!(disk.contains("layer 3 of 7  no space left"), "{text}");
}
