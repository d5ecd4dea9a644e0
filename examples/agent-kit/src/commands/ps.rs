use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use time::UtcDateTime;

use super::stdout::unless_unread;
use crate::json;
use crate::listing::Listed;
use crate::program::Program;
use crate::socket::{Answer, Request, ask};
use crate::view::{duration, one_line};

pub(super) fn ps(program: Program, dir: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let (mut listed, mut notices) = (Vec::new(), Vec::new());
    for answer in ask(program, dir, &Request::Ps)? {
        match answer? {
            Answer::Tasks(tasks) => listed.extend(tasks),
            Answer::Notice(notice) => notices.push(notice),
            Answer::Said(_) | Answer::Failed(_) | Answer::Refused(_) | Answer::Done => {}
        }
    }
    let mut text = Vec::new();
    if json {
        let tasks: Vec<_> = listed.iter().map(|listed| &listed.task).collect();
        json::write_pretty(&mut text, &tasks)?;
    } else {
        text.extend(table(&listed).into_bytes());
    }
    text.push(b'\n');
    let written = unless_unread(io::stdout().write_all(&text));
    for notice in notices {
        program.complain(&notice);
    }
    written
}

const HEADER: [&str; 8] = ["NAME", "STATE", "FOR", "DESIRED", "PID", "EXIT", "DETAILS", "ERROR"];

fn table(tasks: &[Listed]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(HEADER);
    table.add_rows(tasks.iter().map(row));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for number in ["FOR", "PID", "EXIT"] {
        let index = HEADER.iter().position(|title| *title == number);
        if let Some(column) = index.and_then(|index| table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn row(Listed { task, note }: &Listed) -> [String; 8] {
    let status = &task.status;
    let container = status.container_status.as_ref();
    let pid = container.and_then(|container| container.pid);
    let code = container.and_then(|container| container.exit_code);
    let age = status.changed_at().map(|at| UtcDateTime::now() - at);
    // The system time may have been set back.
    let age = age.map(|age| Duration::try_from(age).unwrap_or_default());
    let details = task.details.iter().map(|(name, value)| format!("{name}={value}"));
    let text = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        one_line(&task.name),
        status.state.to_string(),
        age.map(duration).unwrap_or_default(),
        task.desired_state.clone(),
        text(pid),
        text(code),
        one_line(&details.collect::<Vec<_>>().join(" ")),
        one_line(if note.is_empty() { status.err.as_deref().unwrap_or_default() } else { note }),
    ]
}
