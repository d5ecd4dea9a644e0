//! A task whose state only the program knows: many of them, in a map.
//!
//! ```sh
//! cargo run --example 02_any_task
//! ```
//!
//! A journal says what happened to some tasks. It was written by several hands: some
//! events come twice, and some cannot be. `AnyTask` takes what the
//! typed moves allow, refuses the rest, and says what would have been right.

use onward::{AnyTask, Event, Task, TaskState, TaskStatus, state};
use std::collections::BTreeMap;
use std::error::Error;
use time::UtcDateTime;

/// The journal: whose event, and which.
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

/// Moves each task where it is, in the map. One that refuses an event is as it was.
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
    // Tasks of any state in one map. A status, from a file or a wire, is taken up in
    // whatever state it says: this is how a task comes in.
    let mut tasks = BTreeMap::from([
        ("backup", AnyTask::from(Task::new())),
        ("mail", AnyTask::resume(TaskStatus::new(TaskState::Running))),
        ("web", AnyTask::from(Task::new())),
    ]);
    assert_eq!(replay(&mut tasks), 2, "web was prepared once, and did not fail");
    for (id, task) in &tasks {
        println!(
            "{id:<7} {:<9} {:<9} {}",
            task.state(),
            task.message(),
            task.err().unwrap_or_default()
        );
    }

    // `apply` takes the task by value, and a refusal gives it back.
    let Some(web) = tasks.remove("web") else { return Err("web is there".into()) };
    let Err(refused) = web.apply(Event::Started, UtcDateTime::now()) else {
        return Err("nothing follows a terminal state".into());
    };
    println!("web     is given back as it was: {}", refused.task.state());

    // Where one state is needed, it is asked for, and from there on it is a type again.
    match Task::<state::Complete>::try_from(refused.task) {
        Ok(web) => assert_eq!(web.message(), "finished"),
        Err(other) => return Err(format!("web is {}", other.state()).into()),
    }

    // A match on the variants has the typed tasks in its arms. It needs no arm for each.
    let unhappy = tasks.values().filter(|task| matches!(task, AnyTask::Rejected(_)));
    assert_eq!(unhappy.count(), 1, "backup failed before it was started");
    Ok(())
}
