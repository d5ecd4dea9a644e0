//! Many tasks that start at once, and a kill of their agent.

use std::time::Duration;

use anyhow::Result;
use comfy_table::Table;

use crate::fleet::Fleet;
use crate::{Scale, cpu, ms, table};

/// How long the tasks are idle.
const IDLE: Duration = Duration::from_secs(20);

pub(crate) fn measure(scale: Scale) -> Result<Table> {
    let tasks = u32::try_from(scale.crowd)?;
    let bare = cpu::bare(&["sleep", "100000"], 200)?;
    let before = cpu::of_descendants()?;
    let mut fleet = Fleet::start(scale.crowd)?;
    let ready = fleet.until_running()?;
    let started = cpu::since(before)? / tasks;
    std::thread::sleep(Duration::from_secs(2));
    let before = cpu::of_descendants()?;
    std::thread::sleep(IDLE);
    let idle = cpu::since(before)?;
    let workloads = fleet.workloads();
    fleet.kill_agent()?;
    fleet.start_agent()?;
    let again = fleet.until_running()?;
    let after = fleet.workloads();
    let ended = fleet.end()?;

    let mut table = table(&["tasks", &tasks.to_string()]);
    let ratio = started.as_secs_f64() / bare.as_secs_f64();
    let idle = idle.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    table.add_row(["until all run (clock)".to_owned(), ms(ready.after)]);
    table.add_row(["slowest `ps` meanwhile (clock)".to_owned(), ms(ready.slowest_ps)]);
    table.add_row(["processor time of a start".to_owned(), ms(started)]);
    table.add_row(["… ratio to bare start and end".to_owned(), format!("{ratio:.1}")]);
    table.add_row(["processor use when idle".to_owned(), format!("{idle:.2} %")]);
    table.add_row(["all again after `kill -9` (clock)".to_owned(), ms(again.after)]);
    table.add_row(["slowest `ps` meanwhile (clock)".to_owned(), ms(again.slowest_ps)]);
    table.add_row(["processes before and after it".to_owned(), format!("{workloads}, {after}")]);
    table.add_row(["stop of all (clock)".to_owned(), ms(ended)]);
    Ok(table)
}
