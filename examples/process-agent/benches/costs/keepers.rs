//! The memory and threads of keepers, and the agent's memory per task.

use anyhow::Result;
use comfy_table::Table;

use crate::fleet::Fleet;
use crate::{Scale, cpu, table};

pub(crate) fn measure(scale: Scale) -> Result<Table> {
    let none = Fleet::start(1)?;
    none.until_running()?;
    let (_, agent_alone) = cpu::memory(none.agent_pid()?)?;
    none.end()?;
    let fleet = Fleet::start(scale.fleet)?;
    fleet.until_running()?;
    let (_, agent) = cpu::memory(fleet.agent_pid()?)?;
    let mut memory = (0, 0);
    let mut threads = 0;
    for n in 0..scale.fleet {
        let keeper = fleet.keeper(n)?;
        let (proportional, own) = cpu::memory(keeper)?;
        memory = (memory.0 + proportional, memory.1 + own);
        threads = threads.max(cpu::threads(keeper));
    }
    fleet.end()?;
    let tasks = u64::try_from(scale.fleet)?;
    let kb = |bytes: u64| format!("{} KB", bytes / 1000);
    let per_task = agent.saturating_sub(agent_alone) / (tasks - 1).max(1);
    let mut table = table(&["tasks", &tasks.to_string()]);
    table.add_row(["proportional memory of a keeper".to_owned(), kb(memory.0 / tasks)]);
    table.add_row(["… of that its own".to_owned(), kb(memory.1 / tasks)]);
    table.add_row(["threads of a keeper".to_owned(), threads.to_string()]);
    table.add_row(["the agent's memory a task".to_owned(), kb(per_task)]);
    Ok(table)
}
