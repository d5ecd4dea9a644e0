//! `AnyTask`: many tasks in a map, whose states are known only at run time.
//!
//! ```sh
//! cargo run --example 02_any_task
//! ```
//!
//! The program replays a journal of events. Some events in it are repeated, and some are
//! illegal. `AnyTask` accepts the events that the typed moves allow. It refuses the others
//! with an error that names the legal states.

use onward::{AnyTask, Event, Task, TaskState, TaskStatus, state};
use std::collections::BTreeMap;
use std::error::Error;
use time::UtcDateTime;

/// The journal: the id of a task, and an event.
fn journal() -> [(&'static str, Event); 11] {
    [
        ("web", Event::Accepted),
        ("web", Event::Preparing),
        ("web", Event::Prepared),
        ("backup", Event::Accepted),
        ("web", Event::Starting),
        ("web", Event::Prepared),
        ("web", Event::Started),
        ("backup", Event::failed("no room on the disk")),
        ("web", Event::Finished),
        ("web", Event::failed("out of memory")),
        ("mail", Event::Finished),
    ]
}

/// Moves each task inside the map. A task that refuses an event stays unchanged. Returns
/// the number of refused events.
fn replay(tasks: &mut BTreeMap<&str, AnyTask>) -> usize {
    let mut refused = 0;
    for (id, event) in journal() {
        let Some(task) = tasks.get_mut(id) else { continue };
        if let Err(reason) = task.advance(event, UtcDateTime::now()) {
            println!("{id:<7} refuses {reason}");
            refused += 1;
        }
    }
    refused
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // The map holds tasks in any state. `resume` restores a task from a status, for example
    // one that was read from a file.
    let mut tasks = BTreeMap::from([
        ("backup", AnyTask::from(Task::new())),
        ("mail", AnyTask::resume(TaskStatus::new(TaskState::Running))),
        ("web", AnyTask::from(Task::new())),
    ]);
    assert_eq!(replay(&mut tasks), 2, "`web` refuses two events");
    for (id, task) in &tasks {
        println!(
            "{id:<7} {:<9} {:<9} {}",
            task.state(),
            task.message(),
            task.err().unwrap_or_default()
        );
    }

    // `apply` takes the task by value. If it refuses the event, the error contains the
    // task.
    let Some(web) = tasks.remove("web") else { return Err("web is there".into()) };
    let Err(refused) = web.apply(Event::Started, UtcDateTime::now()) else {
        return Err("a complete task must refuse every event".into());
    };
    println!("web     is returned unchanged:  {}", refused.task.state());

    // `try_from` checks the state once. From here on the state is in the type again.
    match Task::<state::Complete>::try_from(refused.task) {
        Ok(web) => assert_eq!(web.message(), "finished"),
        Err(other) => return Err(format!("web is {}", other.state()).into()),
    }

    // A variant holds a typed task. `matches!` or `match` selects tasks by state.
    let unhappy = tasks.values().filter(|task| matches!(task, AnyTask::Rejected(_)));
    assert_eq!(unhappy.count(), 1, "backup failed before it was started");
    Ok(())
}
